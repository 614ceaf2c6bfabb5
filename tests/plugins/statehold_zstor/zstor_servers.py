"""Servers that backends are tested on: 0-dbs on threads of this process, and one that speaks S3."""

from __future__ import annotations

import contextlib
import itertools
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from zdb_servers import Running, serving

from statehold.sdk import Secret
from statehold_zdb.engine import Durability
from statehold_zstor.config import BackendConfig

LIMIT = 60.0
_KEY = "testing"
_numbers = itertools.count()


@contextlib.contextmanager
def zdb(folder: Path, *, durability: str = "relaxed") -> Iterator[Running]:
    """A server of 0-db, whose socket is `s` in *folder*, which must have a short path."""
    socket = {"socket": folder / "s"}
    with serving(folder, durability=Durability.parse(durability), server=socket) as running:
        yield running


def zdb_config(running: Running, namespace: str | None = None, *, timeout: float = LIMIT) -> BackendConfig:
    """Where a new namespace of a server is."""
    name = namespace or f"n{next(_numbers)}"
    running.engine.create(name)
    return BackendConfig(url=f"zdb://127.0.0.1:{running.port}/{name}", timeout=timeout)


class S3Server:
    """A server that speaks S3, on threads of this process.

    Attributes:
        answer: returns status and text of what is answered instead; None for what the server says.

    """

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, *_: object) -> None:
                pass

        self.answer: Callable[[], tuple[str, bytes]] | None = None
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self._do, threaded=True, request_handler=Quiet)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="s3-test-server")
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def _do(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if self.answer is not None:
            status, text = self.answer()
            start(status, [("Content-Length", str(len(text)))])
            return [text]
        with self._lock:  # a condition of a PUT and the PUT itself are one
            return list(self._moto(environ, start))

    def config(self, bucket: str | None = None, *, prefix: str = "some/prefix") -> BackendConfig:
        """Where a new bucket is."""
        name = bucket or f"bucket{next(_numbers)}"
        self.make(name)
        return self.config_of(f"s3://{name}/{prefix}")

    def config_of(self, url: str) -> BackendConfig:
        """Where a bucket is that may not be there."""
        return BackendConfig(
            url=url,
            endpoint=self.endpoint,
            access_key=Secret(_KEY),
            secret_key=Secret(_KEY),
            timeout=LIMIT,
        )

    def make(self, bucket: str) -> None:
        """Make a bucket."""
        request = urllib.request.Request(f"{self.endpoint}/{bucket}", method="PUT")
        with urllib.request.urlopen(request, timeout=LIMIT):
            pass

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join(LIMIT)
        self._server.server_close()
