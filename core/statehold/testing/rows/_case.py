from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from statehold.rows import RowDriver, RowStore
from statehold.testing._clock import FakeClock

NAME = "acme.shop"


class Case:
    """What the parts of the kit have in common, and what a subclass says about its driver.

    Attributes:
        durable: a new driver at the same place finds the rows, also after the process was killed.
        callers: how many threads call at once.
        calls: how often each of them does.
        kills: how many processes are killed while they write.
        examples: how many random histories are tried.
        patience: seconds after which a call counts as hanging.

    """

    durable: ClassVar[bool] = True
    callers: ClassVar[int] = 8
    calls: ClassVar[int] = 25
    kills: ClassVar[int] = 10
    examples: ClassVar[int] = 20
    patience: ClassVar[float] = 30.0

    @pytest.fixture
    def factory(self) -> Callable[..., RowDriver]:
        """Return what makes a driver, `factory(*, clock=...)`, always at the same place, empty at first.

        Of a durable driver it can be pickled, such as a `functools.partial` of a class.
        """
        raise NotImplementedError(f"{type(self).__name__} has no fixture `factory`: how is a driver made?")

    @pytest.fixture
    def clock(self) -> FakeClock:
        """Return the clock of `driver`."""
        return FakeClock()

    @pytest.fixture
    def driver(self, factory: Callable[..., RowDriver], clock: FakeClock) -> Iterator[RowDriver]:
        """Return a driver without stores."""
        with factory(clock=clock) as driver:
            yield driver

    @pytest.fixture
    def store(self, driver: RowDriver) -> Iterator[RowStore]:
        """Return an empty store."""
        with driver.create(NAME) as store:
            yield store
