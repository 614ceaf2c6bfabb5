from __future__ import annotations

import threading
from collections.abc import Callable

from statehold.sdk import Operation, fields
from statehold.testing._case import Case
from statehold.testing._level import Level
from statehold.testing._patience import together
from statehold.testing._reading import Getting
from statehold.testing._samples import plain, plain_value
from statehold.testing._scenario import Facts, scenario

GET, GETBATCH, READ, INSERT, UPDATE = (
    Operation.GET,
    Operation.GETBATCH,
    Operation.READ,
    Operation.INSERT,
    Operation.UPDATE,
)


def _made_up(facts: Facts) -> bool:
    return facts.made_up and bool(facts.value)


class Calling(Getting, Case):
    """Any number of threads may use the storage at once."""

    @scenario("C1", level=Level.STABLE, need=lambda facts: facts.rows)
    def test_c1_many_may_read_at_once(self) -> None:
        """Callers that read at the same time all get the right answers."""
        opened, workspace = self.open(), self.workspace()
        rows = self.fill(opened, workspace, 16)

        def read() -> None:
            for _ in range(max(1, self.calls // len(rows))):
                for key, value in rows.items():
                    if GET in self.facts.operations:
                        self.check_named(opened.facade.get(key), key, value)
                    if GETBATCH in self.facts.operations:
                        self.check_named(opened.facade.get_batch([key])[0], key, value)
                if READ in self.facts.operations:
                    list(opened.facade.read(self.widest(opened, key)))

        together(self.patience, [read] * self.callers)

    @scenario("C2", INSERT, level=Level.STABLE, need=_made_up)
    def test_c2_no_write_is_lost(self) -> None:
        """Callers that write different keys at the same time lose none of their rows."""
        opened, workspace = self.open(), self.workspace()
        keys = [opened.key(workspace, **key) for key, _ in self.samples(self.callers * self.calls)]
        values = [opened.value(**plain_value(self.facts.value, number)) for number in range(len(keys))]

        def write(caller: int) -> Callable[[], None]:
            def run() -> None:
                for number in range(caller, len(keys), self.callers):
                    self.apply(opened, [opened.facade.insert(keys[number], values[number])])

            return run

        together(self.patience, [write(caller) for caller in range(self.callers)])
        for key, value in zip(keys, values, strict=True):
            self.check(opened, key, self.stored(key, value), f"row {key!a:.200} of many written at once")

    @scenario("C3", INSERT, level=Level.STABLE, need=_made_up)
    def test_c3_no_value_is_torn(self) -> None:
        """Callers that read a row while others replace it get one of the whole values."""
        opened, workspace = self.open(), self.workspace()
        (key, _), *_ = self.samples(1)
        at = opened.key(workspace, **key)
        values = [opened.value(**plain_value(self.facts.value, n)) for n in range(self.calls)]
        whole = [fields(self.stored(at, value)) for value in values]
        self.put(opened, at, values[0])
        done = threading.Event()

        def write() -> None:
            try:
                for value in values:
                    self.apply(opened, [opened.facade.insert(at, value)])
            finally:
                done.set()

        def read() -> None:
            while not done.is_set():
                got = self.look(opened, at)
                assert got is not None or self.may_forget, "a row vanished while it was replaced"
                assert got is None or fields(got) in whole, f"read a value that nobody wrote: {got!a:.300}"

        together(self.patience, [write, *[read] * (self.callers - 1)])

    @scenario("C4", INSERT, level=Level.STABLE, need=_made_up)
    def test_c4_everything_at_once(self) -> None:
        """Callers that insert, update, get and read at the same time all go on without an error."""
        opened, workspace = self.open(), self.workspace()
        rows = list(self.fill(opened, workspace, 8).items())
        names = [field.name for field in self.facts.value]

        def insert(number: int) -> None:
            self.apply(opened, [opened.facade.insert(*rows[(number + i) % len(rows)]) for i in range(3)])

        def update(number: int) -> None:
            key, value = rows[number % len(rows)]
            field = self.facts.value[number % len(names)]
            self.apply(opened, [opened.facade.update(key, value, {field.name: plain(field, number)})])

        def look(number: int) -> None:
            self.look(opened, rows[number % len(rows)][0])

        def batch(number: int) -> None:
            answers = opened.facade.get_batch([key for key, _ in rows[number % len(rows) :]])
            assert len(answers) == len(rows) - number % len(rows)

        def read(number: int) -> None:
            read = self.widest(opened, rows[number % len(rows)][0])
            seen = [key for key, _ in opened.facade.read(read)]
            assert len(seen) == len(set(seen)), "READ yielded a row twice while others wrote"

        possible = {INSERT: insert, UPDATE: update, GET: look, GETBATCH: batch, READ: read}
        kinds = [call for operation, call in possible.items() if operation in self.facts.operations]

        def run(call: Callable[[int], None]) -> Callable[[], None]:
            def repeat() -> None:
                for number in range(self.calls):
                    call(number)

            return repeat

        together(self.patience, [run(kinds[n % len(kinds)]) for n in range(max(self.callers, len(kinds)))])
