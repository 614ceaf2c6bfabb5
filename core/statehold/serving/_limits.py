from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Limits:
    """What a server takes on, in bytes, seconds and counts.

    Attributes:
        head: how long the head of a request may be.
        body: how long the body of a request may be.
        blob: how long a blob may be.
        image: how long an image may be that is deployed.
        head_seconds: how long a client may take to send a head.
        body_seconds: how long it may take to send a body, or each megabyte of a blob or image.
        request_seconds: how long an answer may take to begin.
        idle_seconds: how long a connection may rest between two requests.
        drain_seconds: how long requests in flight may take when the server is stopped.
        connections: how many connections are served; whoever comes beyond is told to come back.
        waiting: how many requests may wait for a thread.
        command_threads: how many partitions run commands at the same time.
        query_threads: how many queries may block at the same time.

    """

    head: int = 65_536
    body: int = 1_000_000
    blob: int = 100_000_000
    image: int = 500_000_000
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    request_seconds: float = 30.0
    idle_seconds: float = 75.0
    drain_seconds: float = 10.0
    connections: int = 10_000
    waiting: int = 10_000
    command_threads: int = 16
    query_threads: int = 32
