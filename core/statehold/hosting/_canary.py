from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from statehold.hosting._outcomes import Outcomes
from statehold.hosting._steps import Step
from statehold.hosting._version import AppVersion
from statehold.sdk import Clock, DeployError, HostError

#: Seconds from one look at the figures to the next, and from one line of progress to the next.
_LOOK: Final = 0.05
_TELL: Final = 1.0


def _share(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"Canary: {attribute.name}: expected 0 to 1, got {value!r}")


def _positive(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if value <= 0:
        raise ValueError(f"Canary: {attribute.name}: expected more than 0, got {value!r}")


@attrs.frozen(kw_only=True)
class Canary:
    """How a version is tried in some partitions before it becomes current in all.

    Attributes:
        share: the part of the partitions, from 0 to 1; at least one, and never all.
        seconds: how long.
        calls: it is rolled back before that time once it must be, though this many calls had come and no more
            of them failed.
        errors: how much more of its calls may fail than of those of the version before, from 0 to 1.

    """

    share: float = attrs.field(default=0.1, validator=_share)
    seconds: float = attrs.field(default=30.0, validator=_positive)
    calls: int = attrs.field(default=100, validator=_positive)
    errors: float = attrs.field(default=0.02, validator=_share)

    def partitions(self, count: int) -> range:
        """Return the numbers of the partitions it is tried in.

        Raises:
            DeployError: there is one partition only.

        """
        if count < 2:
            raise DeployError(
                "a canary needs two partitions, one for each version, and the app has one",
                hint="Deploy it without a canary; to look at it first, open it beside the current version",
            )
        return range(min(max(1, round(self.share * count)), count - 1))


class Trial:
    """A version that is tried in some partitions, beside the one that answers the calls of the others."""

    def __init__(
        self, canary: Canary, old: AppVersion, new: AppVersion, numbers: Iterable[int], *, clock: Clock
    ) -> None:
        self._canary = canary
        self._old, self._new = old, new
        self._numbers = tuple(numbers)
        self._clock = clock
        self._began = clock.monotonic()
        self._start = _counted(old, range(len(old.partitions))), _counted(new, self._numbers)
        self._ended = threading.Event()

    def end(self) -> None:
        """End it, with the version before."""
        self._ended.set()

    def watch(
        self,
        progress: Callable[[Step], None],
        *,
        closing: threading.Event,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Return when its time is over; an error that *progress* raises ends it, and one of *meanwhile*.

        Raises:
            DeployError: too many of its calls failed, or it was ended.
            HostError: the host is being closed.

        """
        told = -_TELL
        while True:
            passed = self._clock.monotonic() - self._began
            over = passed >= self._canary.seconds
            # The time of people, not that of the host's clock.
            if over or time.monotonic() - told >= _TELL:
                told = time.monotonic()
                progress(self._step(passed))
            self._judge(over=over)
            if over:
                return
            meanwhile()
            if self._ended.wait(_LOOK) or closing.is_set():
                rolled_back = self._ended.is_set()
                why = "it was rolled back" if rolled_back else "the host is being closed"
                raise (DeployError if rolled_back else HostError)(
                    f"the canary of {self._new.app} {self._new.name} was ended: {why}",
                    hint="The version before it answers all calls again",
                )

    def _judge(self, *, over: bool) -> None:
        new, old = self._figures()
        enough = new.calls if over else max(new.calls, self._canary.calls)
        if enough and new.failures / enough > _rate(old) + self._canary.errors:
            raise DeployError(
                f"{self._new.app} {self._new.name} was rolled back: as a canary in {self._where()}, "
                f"{_told(new)}; of {self._old.name}, {_told(old)}. "
                f"The limit was {self._canary.errors:.2%} more",
                hint=f"{self._old.name} answers all calls again; the log says what failed",
            )

    def _figures(self) -> tuple[Outcomes, Outcomes]:
        (old_start, new_start) = self._start
        new = _since(_counted(self._new, self._numbers), new_start)
        old = _counted(self._old, range(len(self._old.partitions)))
        during = _since(old, old_start)
        # Where nobody has called it meanwhile, what it did before says how it does.
        return new, during if during.calls else old

    def _step(self, passed: float) -> Step:
        new, old = self._figures()
        return Step(
            f"canary in {self._where()}: {min(passed, self._canary.seconds):.0f} of "
            f"{self._canary.seconds:g} s, {_told(new)}; of {self._old.name}, {_told(old)}",
            partitions=list(self._numbers),
            seconds=round(passed, 3),
            calls=new.calls,
            failures=new.failures,
            before={"version": self._old.name, "calls": old.calls, "failures": old.failures},
        )

    def _where(self) -> str:
        return f"{len(self._numbers)} of {len(self._old.partitions)} partitions"


def _counted(version: AppVersion, numbers: Iterable[int]) -> Outcomes:
    found = Outcomes()
    for number in numbers:
        outcomes = version.partitions[number].outcomes
        found.add(outcomes.calls, outcomes.failures)
    return found


def _since(now: Outcomes, start: Outcomes) -> Outcomes:
    found = Outcomes()
    found.add(now.calls - start.calls, now.failures - start.failures)
    return found


def _rate(outcomes: Outcomes) -> float:
    return outcomes.failures / outcomes.calls if outcomes.calls else 0.0


def _told(outcomes: Outcomes) -> str:
    return f"{outcomes.failures} of {outcomes.calls} calls failed ({_rate(outcomes):.2%})"
