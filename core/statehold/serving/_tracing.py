from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from statehold.processing import Meter
from statehold.serving._paths import BASE

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


class TracedApp:
    """Makes a span of every request, inside the one that the caller says it belongs to."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI says it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from opentelemetry.propagate import extract  # noqa: PLC0415 - an extra that few install
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 - as above

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        name, attributes = _described(scope)
        with self._tracer.start_as_current_span(
            name, context=extract(headers), kind=SpanKind.SERVER, attributes=attributes
        ) as span:

            async def noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            await self._app(scope, receive, noting)


class TracedMeter:
    """Makes spans of what a runtime does by itself, and passes on all that it hears to another meter."""

    def __init__(self, meter: Meter, tracer: Tracer) -> None:
        self._meter = meter
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:
        # What belongs to a request is in the span of the request.
        return getattr(self._meter, name)

    def batch(self, app: str, partition: int, commands: int, seconds: float) -> None:
        """Hear of a commit."""
        self._meter.batch(app, partition, commands, seconds)
        self._span("commit", seconds, ok=True, app=app, partition=partition, commands=commands)

    def projector(
        self, app: str, partition: int, name: str, events: int, seconds: float, *, ok: bool
    ) -> None:
        """Hear of a projector."""
        self._meter.projector(app, partition, name, events, seconds, ok=ok)
        self._span(f"projector {name}", seconds, ok=ok, app=app, partition=partition, events=events)

    def job(self, app: str, name: str, workspace: int, seconds: float, *, ok: bool) -> None:
        """Hear of a job."""
        self._meter.job(app, name, workspace, seconds, ok=ok)
        self._span(f"job {name}", seconds, ok=ok, app=app, workspace=workspace)

    def _span(self, name: str, seconds: float, *, ok: bool, **attributes: str | int) -> None:
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - as above

        end = time.time_ns()
        span = self._tracer.start_span(
            name,
            start_time=end - int(seconds * 1e9),
            attributes={f"statehold.{key}": value for key, value in attributes.items()},
        )
        if not ok:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)


def _described(scope: Scope) -> tuple[str, dict[str, str | int]]:
    """Return what a span is called: not by ids, of which there are too many."""
    path: str = scope["path"]
    attributes: dict[str, str | int] = {"http.request.method": scope["method"], "url.path": path}
    name: str = scope["method"]
    if path.startswith(f"{BASE}/"):
        owner, app, *rest = (*path.removeprefix(f"{BASE}/").split("/"), "", "")[:8]
        attributes["statehold.app"] = f"{owner}.{app}"
        if rest[0] == "workspaces" and len(rest) > 3:
            attributes["statehold.workspace"] = rest[1]
            name = f"{name} {rest[2]} {rest[3]}"
    return name, attributes
