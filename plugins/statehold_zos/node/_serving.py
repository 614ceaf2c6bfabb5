from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from statehold_zos.node._metrics import Collector

if TYPE_CHECKING:
    from statehold_zos.node._node import Node


@contextmanager
def serve_metrics(node: Node, port: int) -> Generator[int]:
    """Show the metrics of a node on loopback while the block runs, and yield the port; 0 for any free one."""
    from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415  where it is asked for

    registry = CollectorRegistry()
    registry.register(Collector(node))
    server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
