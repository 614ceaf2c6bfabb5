from __future__ import annotations

import itertools
from collections.abc import Mapping

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from statehold.sdk import Intent, Key, Operation, Value, fields
from statehold.testing._case import Case
from statehold.testing._level import Level
from statehold.testing._same import assert_rows, assert_same
from statehold.testing._samples import bounds, some_values
from statehold.testing._scenario import scenario

GET, GETBATCH, READ, INSERT, UPDATE = (
    Operation.GET,
    Operation.GETBATCH,
    Operation.READ,
    Operation.INSERT,
    Operation.UPDATE,
)
_MOST = 6  # of anything in one step: histories are to be long, not wide

Slot = tuple[int, int]  # which workspace, which key


class Histories(Case):
    """Whatever is done in whatever order, the storage agrees with a dict."""

    @scenario("M1", INSERT, level=Level.STABLE, need=lambda facts: facts.made_up)
    def test_m1_random_histories_agree_with_a_dict(self) -> None:
        """After any history of operations every answer is that of a dict that had the same history."""
        run_state_machine_as_test(
            machine(self),
            settings=settings(
                max_examples=self.examples,
                stateful_step_count=self.steps,
                deadline=None,
                database=None,
                report_multiple_bugs=False,
                phases=(Phase.explicit, Phase.generate, Phase.target, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )


def machine(case: Case) -> type[RuleBasedStateMachine]:
    """Return the state machine of a storage: a rule for each operation its provider claims."""
    operations = case.facts.operations
    numbers = itertools.count()
    keys = [key for key, _ in case.samples(8)]
    names = [field.name for field in case.facts.key]
    slots = st.tuples(st.integers(0, 1), st.integers(0, len(keys) - 1))
    # Values are chosen by number, not made: what counts here is the order of things, and a failing history
    # is to be short and found soon.
    contents = some_values(case.facts.value)
    numbers_of_rows = st.integers(0, len(contents) - 1)
    cells = [(field.name, one) for field in case.facts.value for one in bounds(field)]
    changes = st.lists(st.sampled_from(cells), max_size=3).map(dict) if cells else st.just({})

    class History(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.folder = f"history-{next(numbers)}"
            self.opened = case.open(folder=self.folder)
            self.workspaces = (case.workspace(), case.workspace())
            self.model: dict[Slot, Mapping[str, object]] = {}

        def key(self, slot: Slot) -> Key:
            return self.opened.key(self.workspaces[slot[0]], **keys[slot[1]])

        def expected(self, slot: Slot) -> Value | None:
            row = self.model.get(slot)
            return None if row is None else self.opened.rows.Value(**row)

        def compare(self, slot: Slot, got: Value | None, where: str) -> None:
            if got is None and case.may_forget:
                self.model.pop(slot, None)
                return
            assert_same(self.expected(slot), got, f"{where} of {self.key(slot)!a:.200}")

        def intend(self, slot: Slot, row: int, change: Mapping[str, object] | None) -> Intent:
            """Ask for an INSERT, or an UPDATE with *change* if the row is there; note it in the model."""
            key, existing = self.key(slot), self.expected(slot)
            if change is not None and existing is not None and UPDATE in operations:
                self.model[slot] = fields(case.updated(key, existing, change))
                return self.opened.facade.update(key, existing, change)
            value = self.opened.value(**contents[row])
            self.model[slot] = fields(case.stored(key, value))
            return self.opened.facade.insert(key, value)

        @rule(slot=slots, row=numbers_of_rows)
        def insert(self, slot: Slot, row: int) -> None:
            case.apply(self.opened, [self.intend(slot, row, None)])

        @precondition(lambda self: UPDATE in operations and self.model)
        @rule(data=st.data(), change=changes)
        def update(self, data: st.DataObject, change: Mapping[str, object]) -> None:
            slot = data.draw(st.sampled_from(sorted(self.model)))
            case.apply(self.opened, [self.intend(slot, 0, change)])

        @rule(items=st.lists(st.tuples(slots, numbers_of_rows, st.none() | changes), max_size=_MOST))
        def batch(self, items: list[tuple[Slot, int, Mapping[str, object] | None]]) -> None:
            case.apply(self.opened, [self.intend(*item) for item in items])

        @rule(slot=slots)
        def look(self, slot: Slot) -> None:
            self.compare(slot, case.look(self.opened, self.key(slot)), "the look")

        @precondition(lambda _: GETBATCH in operations)
        @rule(asked=st.lists(slots, max_size=_MOST))
        def get_batch(self, asked: list[Slot]) -> None:
            answers = self.opened.facade.get_batch([self.key(slot) for slot in asked])
            assert len(answers) == len(asked), f"{len(asked)} keys were asked, {len(answers)} answered"
            for slot, answer in zip(asked, answers, strict=True):
                self.compare(slot, answer, "GETBATCH")

        @precondition(lambda _: READ in operations and not case.whole_keys)
        @rule(slot=slots, count=st.integers(case.read_by, len(names)), stop=st.none() | st.integers(0, 3))
        def read(self, slot: Slot, count: int, stop: int | None) -> None:
            prefix = {name: getattr(self.key(slot), name) for name in names[:count]}
            under = {
                self.key(other): self.opened.rows.Value(**row)
                for other, row in self.model.items()
                if other[0] == slot[0]
                and all(getattr(self.key(other), name) == one for name, one in prefix.items())
            }
            reading = self.opened.facade.read(self.opened.prefix(self.workspaces[slot[0]], **prefix))
            if stop is None:
                assert_rows(under, reading, f"READ by {prefix}", may_forget=case.may_forget)
                return
            seen = list(itertools.islice(reading, stop))
            assert all(under.get(key) == value for key, value in seen), (
                f"READ by {prefix} yielded {seen!a:.300}"
            )
            close = getattr(reading, "close", None)
            if close is not None:
                close()

        @precondition(lambda _: case.durable)
        @rule()
        def reopen(self) -> None:
            case.free(self.opened)
            self.opened = case.open(folder=self.folder)

        def teardown(self) -> None:
            for slot in sorted(self.model):
                self.look(slot)
            case.free(self.opened)

    return History
