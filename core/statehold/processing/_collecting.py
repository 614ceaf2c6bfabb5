from __future__ import annotations

from collections.abc import Callable
from typing import Any

from statehold.processing._errors import RequestError

Sink = Callable[[list[Any]], None]


class Collector:
    """Keeps results, up to so many."""

    def __init__(self, most: int, results: list[Any] | None = None) -> None:
        self.results: list[Any] = [] if results is None else results
        self._most = most

    def __call__(self, chunk: list[Any]) -> None:
        """Take the next results.

        Raises:
            RequestError: there are too many.

        """
        if len(self.results) + len(chunk) > self._most:
            raise RequestError(
                f"there are more than {self._most} results", hint="Ask for less with limit or where"
            )
        self.results += chunk
