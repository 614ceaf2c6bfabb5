from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class Row:
    """One bar: what was measured, the limit it is held against, and how far it may be from it.

    `measured` and `limit` are medians in `unit`; `ratio` is the median of the ratios of neighbouring
    runs, which a drifting machine harms less than the ratio of the medians.
    """

    name: str
    limit_name: str
    unit: str
    measured: float
    limit: float
    ratio: float
    bar: float
    sense: Literal["<=", ">="] = "<="

    @property
    def holds(self) -> bool:
        """Whether the bar is kept."""
        return self.ratio <= self.bar if self.sense == "<=" else self.ratio >= self.bar


def timed(run: Callable[[], object]) -> float:
    """Return the seconds that one *run* takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def per_call(call: Callable[[], object], *, calls: int) -> float:
    """Return the seconds of one *call*, without the loop around it, of *calls* calls."""
    rounds = range(calls)

    def loop() -> None:
        for _ in rounds:
            call()

    def empty() -> None:
        for _ in rounds:
            pass

    return max(timed(loop) - timed(empty), 0.0) / calls


def against(
    name: str,
    measured: Callable[[], float],
    limit: Callable[[], float],
    *,
    limit_name: str,
    bar: float,
    unit: str = "ns",
    sense: Literal["<=", ">="] = "<=",
    rounds: int = 15,
    rate: bool = False,
) -> Row:
    """Run *measured* and *limit* in turn and return the row of their ratio.

    Both return seconds. With *rate* the ratio is that of the rates: higher is better.
    """
    measured()
    limit()
    pairs = [(measured(), limit()) for _ in range(rounds)]
    scale = {"ns": 1e9, "us": 1e6, "ms": 1e3, "s": 1.0}[unit]
    return Row(
        name=name,
        limit_name=limit_name,
        unit=unit,
        measured=statistics.median(m for m, _ in pairs) * scale,
        limit=statistics.median(f for _, f in pairs) * scale,
        ratio=statistics.median(f / m if rate else m / f for m, f in pairs),
        bar=bar,
        sense=sense,
    )


def within(name: str, measured: Callable[[], float], *, limit: float, unit: str, rounds: int = 15) -> Row:
    """Return the row of a figure whose limit is a time, *limit* in *unit*."""
    measured()
    scale = {"ns": 1e9, "us": 1e6, "ms": 1e3, "s": 1.0}[unit]
    median = statistics.median(measured() for _ in range(rounds)) * scale
    return Row(
        name=name,
        limit_name=f"{limit:g} {unit}",
        unit=unit,
        measured=median,
        limit=limit,
        ratio=median / limit,
        bar=1.0,
    )
