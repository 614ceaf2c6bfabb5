"""Intents are validated for all storages before any of them is applied."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from statehold.sdk import Field, Intent, StorageError
from statehold.state import apply_intents, compile_rows

ROWS = compile_rows("s.S", [Field("Id", "int64", required=True)], [])


class Recorder:
    def __init__(self, log: list[str], name: str, *, refuses: bool = False) -> None:
        self.log, self.name, self.refuses = log, name, refuses

    def validate(self, items: Sequence[Intent]) -> None:
        self.log.append(f"validate {self.name} {len(items)}")
        if self.refuses:
            raise StorageError("no")

    def apply_batch(self, items: Sequence[Intent]) -> None:
        self.log.append(f"apply {self.name} {[item.key['Id'] for item in items]}")

    def free(self) -> None: ...


def intents(*ids: int) -> list[Intent]:
    return [Intent(ROWS.key(1, Id=i), ROWS.value(), is_new=True) for i in ids]


def test_every_storage_validates_before_the_first_applies() -> None:
    log: list[str] = []
    storages = {"a": Recorder(log, "a"), "b": Recorder(log, "b"), "c": Recorder(log, "c")}
    apply_intents(storages, {"b": intents(2, 1), "a": intents(3), "c": []})
    assert log == ["validate b 2", "validate a 1", "apply b [2, 1]", "apply a [3]"]


def test_nothing_is_applied_where_one_storage_refuses() -> None:
    log: list[str] = []
    storages = {"a": Recorder(log, "a"), "b": Recorder(log, "b", refuses=True)}
    with pytest.raises(StorageError):
        apply_intents(storages, {"a": intents(1), "b": intents(2)})
    assert log == ["validate a 1", "validate b 1"]
