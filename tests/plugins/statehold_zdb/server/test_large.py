"""Large payloads and clients that do not read: buffers that are used again, and memory that is bounded."""

from __future__ import annotations

from pathlib import Path

import pytest
from zdb_servers import bulk, clients, exactly, one_turn, request, serving

from statehold_zdb.engine import Durability

LARGE = 100_000
PIECE = 900_000


@pytest.mark.parametrize("durability", ["every", "group", "relaxed:3600"])
def test_a_large_payload_is_written_before_another_client_gets_its_buffer(
    tmp_path: Path, durability: str
) -> None:
    """One client says the end of its payload, and others begin theirs, in the same turn."""
    path = tmp_path / "s"
    payloads = [b"%d" % i * LARGE for i in range(4)]
    with (
        serving(tmp_path, server={"socket": path}, durability=Durability.parse(durability)) as running,
        clients(path, 5) as (*made, other),
    ):
        asked = [request(b"SET", b"key %d" % i, payload) for i, payload in enumerate(payloads)]
        for each, what in zip(made[:2], asked, strict=False):
            each.sendall(what[:50_000])
        other.sendall(request(b"PING"))
        assert exactly(other, 7) == b"+PONG\r\n"
        with one_turn(running):
            for each, what in zip(made[:2], asked, strict=False):
                each.sendall(what[50_000:])
            for each, what in zip(made[2:], asked[2:], strict=True):
                each.sendall(what[:60_000])
        for each, what in zip(made[2:], asked[2:], strict=True):
            each.sendall(what[60_000:])
        for i, each in enumerate(made):
            assert exactly(each, 11) == bulk(b"key %d" % i)
        for i, payload in enumerate(payloads):
            assert running.engine["default"].get(b"key %d" % i) == payload


def test_a_large_payload_whose_client_has_not_read_yet_is_taken_when_it_has(tmp_path: Path) -> None:
    """Its start came together with what filled the client's buffer."""
    path, payload = tmp_path / "s", b"x" * 40_000
    with (
        serving(tmp_path, server={"socket": path}, durability=Durability.parse("relaxed")) as running,
        clients(path, 2) as (each, other),
    ):
        running.engine["default"].set(b"k", bytes(PIECE))
        get, large = request(b"GET", b"k"), request(b"SET", b"large", payload)
        each.sendall(get)
        # Whatever the server has read by then, all of it is little enough for a socket to take more.
        for part in (get + large[:15_000], large[15_000:] + request(b"GET", b"large")):
            other.sendall(request(b"PING"))
            assert exactly(other, 7) == b"+PONG\r\n"
            each.sendall(part)
        other.sendall(request(b"PING"))
        assert exactly(other, 7) == b"+PONG\r\n"
        expected = bulk(bytes(PIECE)) * 2 + bulk(b"large") + bulk(payload)
        assert exactly(each, len(expected)) == expected


def test_answers_between_writes_wait_for_a_client_that_does_not_read(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with (
        serving(tmp_path, server={"socket": path}, durability=Durability.parse("relaxed")) as running,
        clients(path, 2) as (each, other),
    ):
        running.engine["default"].set(b"k", bytes(PIECE))
        count = 40
        each.sendall(
            b"".join(request(b"SET", b"%02d" % i, b"v") + request(b"GET", b"k") * 2 for i in range(count))
        )
        for _ in range(2 * count):
            other.sendall(request(b"PING"))
            assert exactly(other, 7) == b"+PONG\r\n"
        sizes = [found._transport.get_write_buffer_size() for found in running.server.connections]
        assert max(sizes) < 8_000_000
        answer = bulk(bytes(PIECE)) * 2
        for i in range(count):
            assert exactly(each, 8) == bulk(b"%02d" % i)
            assert exactly(each, len(answer)) == answer
