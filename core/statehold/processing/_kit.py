from __future__ import annotations

import logging
from collections.abc import Callable

import attrs

from statehold.processing._meter import Meter
from statehold.processing._settings import Settings
from statehold.processing._timer import Timer
from statehold.processing._workers import Workers
from statehold.sdk import Clock


@attrs.frozen(kw_only=True, eq=False)
class Kit:
    """What all parts of one runtime share.

    Attributes:
        start_lane: runs the queue of a partition on a thread.
        workers: run projectors and jobs.

    """

    settings: Settings
    clock: Clock
    meter: Meter
    logger: logging.Logger
    timer: Timer
    start_lane: Callable[[Callable[[], None]], object]
    workers: Workers
