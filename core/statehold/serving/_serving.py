from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from starlette.types import ASGIApp

from statehold.hosting import Host
from statehold.processing import Runtime
from statehold.serving._api import Api
from statehold.serving._blobs import Blobs
from statehold.serving._deploys import Deploys
from statehold.serving._desk import Desk
from statehold.serving._documents import Documents
from statehold.serving._health import Health
from statehold.serving._http import HttpServer
from statehold.serving._limits import Limits
from statehold.serving._meter import Counting
from statehold.serving._metrics import Metrics
from statehold.serving._operating import Operating
from statehold.serving._pool import Pool
from statehold.serving._routes import Rest
from statehold.serving._schemas import Schemas
from statehold.serving._shortcut import QueryShortcut
from statehold.serving._tokens import Tokens
from statehold.serving._workspaces import Workspaces

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


class Server:
    """Serves every app of a host over HTTP: its commands and queries, views, documents, blobs and schemas.

    Requests run on threads of the server, never on its event loop. As a context manager it serves in a
    thread of its own; `run` serves in this one until a signal comes. Neither closes runtime or host.

    Args:
        host: whose apps are served.
        runtime: what runs them.
        tokens: who may ask.
        data_folder: where images are kept while they arrive.
        meter: what the runtime counts, for `/metrics`.
        limits: what the server takes on.
        address: where to listen, such as `127.0.0.1` or `::`.
        port: the port, 0 for any that is free.
        behind_proxy: whether a proxy on this machine says by X-Forwarded-For who asks.
        tracer: makes spans of requests; None for none.

    Raises:
        HostError: nothing can listen there.

    """

    def __init__(
        self,
        host: Host,
        runtime: Runtime,
        *,
        tokens: Tokens,
        data_folder: Path,
        meter: Counting | None = None,
        limits: Limits | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
        behind_proxy: bool = False,
        tracer: Tracer | None = None,
    ) -> None:
        limits = limits or Limits()
        self._limits = limits
        self._stopping = threading.Event()
        self._pools = tuple(
            Pool(name, threads=threads, queue=limits.waiting, time_limit=limits.request_seconds)
            for name, threads in (("command", limits.command_threads), ("query", limits.query_threads))
        )
        commands, queries = self._pools
        desk = Desk(
            host=host, runtime=runtime, tokens=tokens, limits=limits, commands=commands, queries=queries
        )
        metrics = Metrics(host, runtime, meter or Counting(), self._pools)
        blobs = Blobs(desk)
        self._unlisten = blobs.close
        parts = (
            Documents(desk),
            blobs,
            Workspaces(desk),
            Schemas(desk),
            Deploys(desk, data_folder, stopping=self._stopping.is_set),
            Operating(desk),
            Health(desk, metrics, stopping=self._stopping.is_set),
        )
        app: ASGIApp = Api(desk, Rest(route for part in parts for route in part.routes()))
        if tracer is not None:
            from statehold.serving._tracing import TracedApp  # noqa: PLC0415 - an extra that few install

            app = TracedApp(app, tracer)
        self._http = HttpServer(
            app,
            address=address,
            port=port,
            limits=limits,
            behind_proxy=behind_proxy,
            # Whom a proxy speaks for, and what a span is about, is known only the long way.
            shortcut=None if behind_proxy or tracer is not None else QueryShortcut(desk),
            stopping=self._stopping.set,
        )

    @property
    def url(self) -> str:
        """Where it is served: `http://127.0.0.1:8080`, without a slash at its end."""
        return self._http.url

    def run(self, *, started: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGTERM or SIGINT; *started* is called as soon as requests are answered."""
        try:
            self._http.run(started=started)
        finally:
            self._close()

    def stop(self) -> None:
        """Take no further request, and return when those in flight have ended, or their time has."""
        self._http.stop()
        self._close()

    def __enter__(self) -> Self:
        self._http.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _close(self) -> None:
        self._unlisten()
        for pool in self._pools:
            pool.close(self._limits.drain_seconds)
