from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from statehold.sdk import Intent, IWithApplyBatch, IWithResume, IWithSharing, Key, Operation, Value
from statehold.testing._level import Level
from statehold.testing._living import Living
from statehold.testing._open import OpenStorage
from statehold.testing._scenario import Facts, scenario

INSERT = Operation.INSERT


def _hands_over(facts: Facts) -> bool:
    return facts.writes and facts.hands_over


class Replacing(Living):
    """A storage that takes another one's place lacks nothing that was written while it did."""

    @scenario("L13", INSERT, level=Level.STABLE, need=_hands_over)
    def test_l13_rows_that_are_written_while_it_takes_over_are_there(self) -> None:
        """Rows written to the old storage while the new one opens are there, once the host has given them."""
        old, workspaces = self.open(version="1"), [self.workspace() for _ in range(4)]
        rows = self.fill(old, workspaces[0], 8)
        written: dict[Key, Value] = {}
        errors: list[BaseException] = []

        def write() -> None:
            try:
                for workspace in workspaces[1:]:
                    written.update(self.fill(old, workspace, 8))
            except BaseException as error:  # noqa: BLE001 - of another thread, where it would be lost
                errors.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        new = self.open(version="2", existing=old.storage)
        writer.join(self.patience)
        assert not writer.is_alive(), "INSERT did not return while another storage took over"
        assert not errors, f"INSERT failed while another storage took over: {errors[0]!r}"
        self.give(old, new, written)
        self.found_again(new, {**rows, **written}, "once it takes the place of the old one")
        newer = self.renewed(new, rows)
        self.found_again(new, newer, "that the new storage got after it took the place of the old one")
        self.free(old)
        self.found_again(new, {**written, **newer}, "after the old storage was freed")

    @scenario("L14", INSERT, level=Level.STABLE, need=_hands_over)
    def test_l14_a_storage_that_resumes_has_the_rows(self) -> None:
        """A storage that was kept, and resumes from the one that took its place, has the rows of that."""
        old = self.open(version="1")
        resuming = old.storage
        if not isinstance(resuming, IWithResume):
            pytest.skip("it has no resume: its version is opened anew")
        rows = self.fill(old, self.workspace(), 8)
        new = self.open(version="2", existing=old.storage)
        newer = self.renewed(new, rows)
        more = self.fill(new, self.workspace(), 8)
        resuming.resume(new.storage)
        late = self.fill(new, self.workspace(), 8)
        self.give(new, old, late)
        self.found_again(old, {**newer, **more, **late}, "after it has resumed")
        newest = self.renewed(old, more)
        self.free(new)
        self.found_again(old, {**newer, **newest}, "after the storage between was freed")

    def give(self, before: OpenStorage, after: OpenStorage, rows: Mapping[Key, Value]) -> None:
        """Let a storage have what was written to the one before, as a host does, unless they share it."""
        taking = after.storage
        if isinstance(taking, IWithSharing) and taking.shares_with(before.storage):
            return
        writes: IWithApplyBatch = taking  # type: ignore[assignment]  # it has INSERT
        items = [Intent(*own, is_new=True) for own in self.owned(after, rows).items()]
        writes.validate(items)
        writes.apply_batch(items)

    def renewed(self, opened: OpenStorage, rows: Mapping[Key, Value]) -> dict[Key, Value]:
        """Put other values under the keys of rows, and return what must be found."""
        own = self.owned(opened, rows)
        values = [*own.values()]
        return {
            key: self.put(opened, key, value)
            for key, value in zip(own, [*values[1:], *values[:1]], strict=True)
        }

    @staticmethod
    def owned(opened: OpenStorage, rows: Mapping[Key, Value]) -> dict[Key, Value]:
        """Return rows of another version as those of this one."""
        return {
            opened.rows.Key(*(getattr(key, name) for name in key.__struct_fields__)): opened.rows.Value(
                *(getattr(value, name) for name in value.__struct_fields__)
            )
            for key, value in rows.items()
        }
