from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Settings:
    """How much a runtime does at once, and how long it waits; seconds and counts.

    Attributes:
        command_timeout: how long the caller of a command waits for its answer.
        query_timeout: how long a query may take.
        max_batch: how many commands share one commit at most.
        batch_seconds: after this long a batch takes no further command, so that those it has are answered.
        intents: how many intents a command, projector call or job may ask for.
        cuds: how many records one command may make or change.
        chunk: how many results of a query are handed on at a time.
        max_results: how many results a query may have that must be held until its end, such as for `order`.
        bundle: how many rows a projector bundles before they are flushed.
        bundle_seconds: how long they wait at most.
        events: how many events a projector takes from the log at a time.
        first_pause: how long a projector that failed waits before it tries again; twice as long each time.
        longest_pause: the longest such wait.
        workers: how many projectors and jobs run at a time, not counting those that hang.
        buckets: how many counters of limits a partition keeps.
        drain: how long `close` waits for what is under way.

    """

    command_timeout: float = 10.0
    query_timeout: float = 30.0
    max_batch: int = 256
    batch_seconds: float = 0.02
    intents: int = 1000
    cuds: int = 100
    chunk: int = 256
    max_results: int = 100_000
    bundle: int = 100
    bundle_seconds: float = 0.1
    events: int = 100
    first_pause: float = 0.1
    longest_pause: float = 180.0
    workers: int = 4
    buckets: int = 100_000
    drain: float = 10.0

    def pause(self, attempts: int) -> float:
        """Return how long to wait after so many failures in a row."""
        return min(self.first_pause * 2.0 ** min(attempts, 60), self.longest_pause)
