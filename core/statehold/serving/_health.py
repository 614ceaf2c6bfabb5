from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from statehold.hosting import App
from statehold.rows import Put
from statehold.sdk import HostError, StateholdError
from statehold.serving._answers import json_response
from statehold.serving._desk import Desk
from statehold.serving._metrics import Metrics
from statehold.serving._routes import route

#: How long an answer about readiness holds: it writes to every store.
_HOLDS: Final = 1.0
_ROW: Final = ("serving",)
_LOOPBACK: Final = ("127.0.0.1", "::1")


class Health:
    """Answers whether the server lives, whether it is ready, and what it does in figures."""

    def __init__(self, desk: Desk, metrics: Metrics, *, stopping: Callable[[], bool]) -> None:
        self._desk = desk
        self._metrics = metrics
        self._stopping = stopping
        self._lock = threading.Lock()
        self._problems: list[str] = []
        self._looked = -_HOLDS

    def routes(self) -> list[Route]:
        """Return the routes of health and figures."""
        return [
            route("/health", GET=self.health),
            route("/ready", GET=self.ready),
            route("/metrics", GET=self.metrics),
        ]

    async def health(self, http: HttpRequest) -> Response:  # noqa: ARG002 - whoever asks
        """Answer that the server answers."""
        return json_response({"status": "live"})

    async def ready(self, http: HttpRequest) -> Response:  # noqa: ARG002 - whoever asks
        """Answer whether every app is current and can write; else 503, with what is wrong."""
        problems = ["the server stops"] if self._stopping() else await asyncio.to_thread(self._look)
        status = 503 if problems else 200
        return json_response({"ready": not problems, "problems": problems}, status=status)

    async def metrics(self, http: HttpRequest) -> Response:
        """Answer with the figures, for this machine itself and for operators."""
        if http.client is None or http.client.host not in _LOOPBACK:
            self._desk.operator(http.scope, "*", what="the figures of the host")
        text = await asyncio.to_thread(self._metrics.text)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    def _look(self) -> list[str]:
        with self._lock:
            if time.monotonic() >= self._looked + _HOLDS:
                self._problems = self._found()
                self._looked = time.monotonic()
            return self._problems

    def _found(self) -> list[str]:
        problems = []
        for status in self._desk.host.apps():
            try:
                app = self._desk.host.app(status.app)
                if app.current_or_none is None:
                    problems.append(f"{status.app} has no current version")
                else:
                    _write(app)
            except HostError as error:
                problems.append(error.message)
            except StateholdError as error:
                problems.append(f"{status.app} cannot write: {error.message}")
        return problems


def _write(app: App) -> None:
    """Write one row into the app's store; another value each time, for a store may skip the same one."""
    app.data.store.write([Put(_ROW, ("ready",), repr(time.time()).encode())])
