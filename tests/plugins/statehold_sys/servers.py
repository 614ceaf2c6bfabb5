"""Servers on 127.0.0.1 that end with the `with` block they are started in."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, *args: Any) -> None:
        self.peers: list[socket.socket] = []
        super().__init__(*args)

    def get_request(self) -> Any:
        peer, address = super().get_request()
        self.peers.append(peer)
        return peer, address

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that go away in the middle, which is what some tests are about."""

    def hang_up(self) -> None:
        """End the connections that clients keep for a next request."""
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def http_server(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve HTTP with *answer*, which is called for every request; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def log_message(self, *_: Any) -> None:
            pass

        def handle_any(self) -> None:
            answer(self)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any

    with _Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


@contextlib.contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept one connection after the other and let *talk* have it until the block ends; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()
    peers: list[socket.socket] = []

    def serve() -> None:
        while not ended.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                peer.settimeout(60)
                peers.append(peer)
                talk(peer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
            peer.close()
        thread.join()


def reply(
    request: BaseHTTPRequestHandler, body: bytes = b"", *, status: int = 200, headers: Any = ()
) -> None:
    """Answer one request."""
    request.send_response(status)
    for name, value in headers:
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
