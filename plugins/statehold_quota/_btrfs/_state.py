from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

import attrs

from statehold_quota._btrfs._ioctl import LIMIT_REFERENCED, MARK

_ALL: Final = Path("/sys/fs/btrfs")
_QGROUP: Final = re.compile(r"\d+_\d+", re.ASCII)


class Mode(StrEnum):
    """How btrfs counts: simple quotas say whose an extent was when written; qgroups follow sharing."""

    SIMPLE = "squota"
    QGROUP = "qgroup"


@attrs.frozen
class QuotaState:
    """What the kernel says in /sys about the quotas of one btrfs."""

    folder: Path

    @classmethod
    def of(cls, uuid: UUID) -> QuotaState:
        """Return the state of the file system of that id."""
        return cls(_ALL / str(uuid) / "qgroups")

    @property
    def shown(self) -> bool:
        """Whether the kernel tells anything about this file system."""
        return self.folder.parent.is_dir()

    @property
    def mode(self) -> Mode | None:
        """How it counts, None while quotas are off."""
        word = self._word("mode") or ""
        on = self._word("enabled") == "1" and word in set(Mode)  # While they are switched, it may be empty.
        return Mode(word) if on else None

    @property
    def inconsistent(self) -> bool:
        """Whether the counts are wrong: then no limit is kept at all."""
        return self._word("inconsistent") == "1"

    def used(self, qgroup: int) -> int | None:
        """Return the bytes that count for a qgroup, None where there is no such."""
        return self._value(qgroup, "referenced")

    def limit(self, qgroup: int) -> int | None:
        """Return the limit of a qgroup, None for none."""
        flags = self._value(qgroup, "limit_flags")
        return self._value(qgroup, "max_referenced") if flags and flags & LIMIT_REFERENCED else None

    @property
    def node(self) -> int:
        """The size of a block of what it notes for itself."""
        return int(_text_of(f"{self.folder.parent}/nodesize") or 0)

    def marked(self) -> list[int]:
        """Return the qgroups that are ours."""
        try:
            names = [entry.name for entry in self.folder.iterdir()]
        except FileNotFoundError:  # quotas are off
            return []
        split = [name.split("_") for name in names if _QGROUP.fullmatch(name)]
        found = [int(level) << 48 | int(number) for level, number in split]
        return sorted(one for one in found if (self._value(one, "limit_flags") or 0) & MARK == MARK)

    def _value(self, qgroup: int, name: str) -> int | None:
        text = self._word(f"{qgroup >> 48}_{qgroup & (1 << 48) - 1}/{name}")
        return None if text is None else int(text, 0)

    def _word(self, name: str) -> str | None:
        return _text_of(f"{self.folder}/{name}")


def _text_of(file: str) -> str | None:
    try:
        with open(file, encoding="ascii") as text:  # noqa: PTH123  a path object takes as long as the reading
            return text.read().strip()
    except OSError:  # not there, or gone while it was read
        return None
