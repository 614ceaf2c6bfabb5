from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from statehold_aos._service_storage._names import folder_name
from statehold_aos.launcher._processes._runner import Spec

_ROOT: Final = Path("/sys/fs/cgroup")
_PARENT: Final = "statehold-aos"
_PERIOD: Final = 100_000
_ATTEMPTS: Final = 5


@attrs.frozen
class Cgroups:
    """The cgroups of services: memory, processors and processes, in version 1 or 2, where root may make them.

    Attributes:
        prefix: what the names of all of this launcher's begin with.

    """

    prefix: str
    root: Path = _ROOT

    @classmethod
    def of(cls, whose: str) -> Cgroups:
        """Return those of one launcher."""
        return cls(hashlib.sha256(whose.encode()).hexdigest()[:16])

    def make(self, spec: Spec) -> tuple[Sequence[Path], Sequence[str]]:
        """Make what keeps the limits of a service, and return its folders, and what is not kept."""
        folders: list[Path] = []
        lacks: list[str] = []
        for controller, settings in _settings(spec, version_2=self._is_version_2).items():
            folder = self._parent(controller) / f"{self.prefix}-{folder_name(spec.name)}"
            try:
                self._make(folder, controller)
                if folder not in folders:
                    folders.append(folder)
                for name, value in settings.items():
                    (folder / name).write_text(value)
            except OSError as error:
                lacks.append(f"its limit of {controller} is not kept: {error}")
        return folders, lacks

    def clean(self) -> None:
        """Remove those that nobody is in."""
        for parent in {self._parent(controller) for controller in ("memory", "cpu", "pids")}:
            for folder in parent.glob(f"{self.prefix}-*"):
                with suppress(OSError):
                    folder.rmdir()
            with suppress(OSError):
                parent.rmdir()

    @property
    def _is_version_2(self) -> bool:
        return (self.root / "cgroup.controllers").exists()

    def _parent(self, controller: str) -> Path:
        return self.root / _PARENT if self._is_version_2 else self.root / controller / _PARENT

    def _make(self, folder: Path, controller: str) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                self._prepare(folder.parent, controller)
                folder.mkdir(exist_ok=True)
            except FileNotFoundError:  # another launcher, which ends, has removed what was empty
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def _prepare(self, parent: Path, controller: str) -> None:
        if os.geteuid():
            raise PermissionError(1, "only root makes cgroups")
        if not self._is_version_2 and not (parent.parent / "tasks").exists():
            raise NotADirectoryError(20, f"the kernel has no cgroups of {controller}")
        parent.mkdir(exist_ok=True)
        if self._is_version_2:
            for folder in (self.root, parent):
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def _settings(spec: Spec, *, version_2: bool) -> dict[str, dict[str, str]]:
    return dict(_asked(spec, version_2=version_2))


def _asked(spec: Spec, *, version_2: bool) -> Iterator[tuple[str, dict[str, str]]]:
    quota = str(spec.cpu_percent * _PERIOD // 100)
    if spec.ram_bytes:
        ram = str(spec.ram_bytes)
        yield "memory", {"memory.max": ram} if version_2 else {"memory.limit_in_bytes": ram}
    if spec.cpu_percent:
        period = str(_PERIOD)
        yield (
            "cpu",
            {"cpu.max": f"{quota} {period}"}
            if version_2
            else {"cpu.cfs_period_us": period, "cpu.cfs_quota_us": quota},
        )
    if spec.processes:
        # The two that look after it are counted, too.
        yield "pids", {"pids.max": str(spec.processes + 2)}
