from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import attrs

from statehold.sdk import DataType, Field, Operation
from statehold.testing._level import Level
from statehold.testing._patience import within

MARK: Final = "__statehold__"


@attrs.frozen(kw_only=True)
class Facts:
    """What decides which scenarios apply to a storage."""

    operations: frozenset[Operation]
    key: tuple[Field, ...]
    value: tuple[Field, ...]
    puts: bool
    looks: bool
    samples: bool
    any_row: bool
    missing: bool
    refused: bool
    durable: bool
    may_forget: bool
    shared: bool
    hands_over: bool
    ordered: bool
    read_by: int
    whole_keys: bool
    secrets: bool
    units: bool

    @property
    def writes(self) -> bool:
        """Whether what was written can be looked at."""
        return Operation.INSERT in self.operations and self.looks and (self.any_row or self.samples)

    @property
    def made_up(self) -> bool:
        """Whether the kit may write rows of its own and look at them."""
        return self.writes and self.any_row

    @property
    def rows(self) -> bool:
        """Whether there is at least one row to read."""
        return self.samples or (self.puts and self.any_row)

    def holds(self, *types: DataType) -> bool:
        """Whether the kit may write values with a field of one of *types*."""
        return self.made_up and any(field.type in types for field in self.value)


Need = Callable[[Facts], bool]


@attrs.frozen
class Scenario:
    """One numbered promise of `docs/conformance.md`, and the storages it is asked of."""

    number: str
    level: Level
    operations: frozenset[Operation]
    need: Need | None

    def applies(self, facts: Facts) -> bool:
        """Return whether a storage of these facts has to keep the promise."""
        return self.operations <= facts.operations and (self.need is None or self.need(facts))

    def applies_to(self, case: Any) -> bool:
        """Return whether *case*, a class, has to keep the promise; True where only a run can tell."""
        facts = case.known_facts()
        return facts is None or self.applies(facts)


def scenario(
    number: str, *operations: Operation, level: Level = Level.BETA, need: Need | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test of the kit as scenario *number*, asked of storages with all *operations* and *need*."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def limited(self: Any, *arguments: object, **fixtures: object) -> None:
            # A storage that never answers is to fail its test, not to stop all others.
            within(self.limit, functools.partial(test, self, *arguments, **fixtures))

        setattr(limited, MARK, Scenario(number, level, frozenset(operations), need))
        return limited

    return mark


def scenarios(case: type) -> dict[str, Scenario]:
    """Return the scenarios that *case* inherits from the kit, by the name of their test."""
    found: dict[str, Scenario] = {}
    for part in case.__mro__:
        if part.__module__.startswith("statehold.testing."):
            for name, test in vars(part).items():
                mark = getattr(test, MARK, None)
                if isinstance(mark, Scenario):
                    found.setdefault(name, mark)
    return found
