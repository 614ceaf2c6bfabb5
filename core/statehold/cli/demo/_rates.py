from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_RATES = {"EUR": 1.0, "USD": 1.08, "GBP": 0.85}


class RatesServer:
    """A server of exchange rates on the loopback, for as long as its `with` block runs."""

    def __enter__(self) -> Self:
        self._server = _Bank(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    @property
    def url(self) -> str:
        """Where the rates are."""
        return f"http://127.0.0.1:{self._server.server_port}/rates"

    def close_for_today(self) -> None:
        """Answer every further request with 503."""
        self._server.is_open = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Bank(ThreadingHTTPServer):
    is_open = True


class _Handler(BaseHTTPRequestHandler):
    server: _Bank

    def do_GET(self) -> None:
        body = json.dumps(_RATES).encode()
        self.send_response(200 if self.path == "/rates" and self.server.is_open else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as the base class calls it
        pass
