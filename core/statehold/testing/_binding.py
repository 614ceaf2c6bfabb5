from __future__ import annotations

from collections.abc import Callable

from statehold.sdk import Key, Operation, Scope, Value
from statehold.testing._calls import Calls
from statehold.testing._case import Case
from statehold.testing._open import OpenStorage
from statehold.testing._scenario import Facts, scenario

INSERT = Operation.INSERT


def _seen(facts: Facts) -> bool:
    return facts.looks and facts.rows


def _committed(facts: Facts) -> bool:
    return facts.units and facts.writes


class Binding(Case):
    """What a storage is in one call, it is in no other."""

    @scenario("B1", need=_seen)
    def test_b1_calls_do_not_mix(self) -> None:
        """A call sees the same, whether or not another one is bound meanwhile."""
        opened, workspace = self.open(), self.workspace()
        rows = self.fill(opened, workspace, 4)
        calls = Calls(self.call, opened.memory)
        one = opened.bound(calls.reading(workspace))
        before = {key: self.look(one, key) for key in rows}
        other = opened.bound(calls.reading(self.workspace()))
        for key, expected in before.items():
            self.look(other, key)
            got = self.look(one, key)
            assert got == expected or (got is None and self.may_forget), (
                f"row {key!a:.200}: expected {expected!a:.200} as before another call, got {got!a:.200}"
            )

    @scenario("B2", INSERT, need=_committed)
    def test_b2_what_a_call_writes_is_there_once_it_is_committed(self) -> None:
        """Others see what a call wrote once its unit is committed, and never if that is forgotten."""
        opened, workspace = self.open(), self.workspace()
        for commits in (False, True):
            _, commit, key, value = self.written(opened, workspace)
            got = self.look(opened, key)
            assert got is None, f"row {key!a:.200}: expected None before the commit, got {got!a:.200}"
            if commits:
                commit()
                self.check(opened, key, value, "after the commit")

    @scenario("B3", INSERT, need=_committed)
    def test_b3_a_call_reads_what_it_wrote(self) -> None:
        """A call reads what it wrote itself, but for a command: its records come with its event."""
        if self.call().scope is not Scope.COMMANDS:
            inside, _, key, value = self.written(self.open(), self.workspace())
            self.check(inside, key, value, "in the call that wrote it")

    def written(
        self, opened: OpenStorage, workspace: int
    ) -> tuple[OpenStorage, Callable[[], None], Key, Value]:
        """Write one row in a call, bound before another one.

        Return the storage as the call sees it, what commits the call, the key, and the value to be found.
        """
        (sample, given), *_ = self.samples(1)
        key, value = opened.key(workspace, **sample), opened.value(**given)
        calls = Calls(self.call, opened.memory)
        call = calls.reading(workspace)
        inside = opened.bound(call)
        opened.bound(calls.reading(workspace))
        inside.insert(key, value)
        return inside, lambda: calls.commit(call), key, self.stored(key, value)
