"""What comes over the wire, however it comes: in pieces, in heaps, wrong, or too slowly."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from zdb_servers import LIMIT, Running, everything, exactly, raw, serving

from statehold_zdb.engine import Durability, Mode


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("zdb"), durability=Durability.parse("relaxed")) as found:
        yield found


def request(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"PING\r\n", b"-Malformed request, array expected\r\n"),
        (b"$4\r\nPING\r\n", b"-Malformed request, array expected\r\n"),
        (b"*1025\r\n", b"-Too many arguments\r\n"),
        (b"*x\r\n", b"-Malformed request, array expected\r\n"),
        (b"*-1\r\n", b"-Malformed request, array expected\r\n"),
        (b"*1\r\n:4\r\n", b"-Malformed query string\r\n"),
        (b"*1\r\n$-4\r\n", b"-Malformed query string\r\n"),
        (b"*1\r\n$4\r\nPINGxx", b"-Malformed query string\r\n"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8388609\r\n", b"-Payload too big\r\n"),
        (b"*" + b"1" * 100, b"-Malformed request, array expected\r\n"),
        (b"*1\r\n$" + b"1" * 100, b"-Malformed query string\r\n"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$40000\r\n" + b"x" * 40_000 + b"??", b"-Malformed query string\r\n"),
    ],
)
def test_what_is_no_request_is_told_and_ends_the_connection(
    running: Running, sent: bytes, answer: bytes
) -> None:
    """After the answers to what came before it."""
    with raw(running.port) as connection:
        connection.sendall(request(b"PING") + sent)
        assert everything(connection) == b"+PONG\r\n" + answer


def test_an_empty_array_is_an_error_and_the_connection_goes_on(running: Running) -> None:
    """It has no command."""
    with raw(running.port) as connection:
        connection.sendall(b"*0\r\n" + request(b"PING"))
        answer = b"-Missing arguments\r\n+PONG\r\n"
        assert exactly(connection, len(answer)) == answer


def test_requests_may_come_in_any_pieces(running: Running) -> None:
    """Every cut of a conversation gives the same answers."""
    payload = b"\r\n*3\r\n$" + bytes(range(256))
    said = (
        request(b"SET", b"cut", payload)
        + request(b"GET", b"cut")
        + request(b"MGET", b"cut", b"none")
        + request(b"EXISTS", b"cut")
        + request(b"DEL", b"cut")
    )
    bulk = b"$%d\r\n%b\r\n" % (len(payload), payload)
    expected = b"$3\r\ncut\r\n" + bulk + b"*2\r\n" + bulk + b"$-1\r\n" + b":1\r\n" + b"+OK\r\n"
    draw = random.Random(3)
    cuts = [[at] for at in range(1, len(said), 11)]
    cuts += [sorted(draw.sample(range(1, len(said)), 12)) for _ in range(20)]
    with raw(running.port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in cuts:
            for start, end in zip([0, *cut], [*cut, len(said)], strict=True):
                connection.sendall(said[start:end])
            assert exactly(connection, len(expected)) == expected


def test_pipelines_are_answered_in_order_whatever_is_in_them(running: Running) -> None:
    """Simple and large ones, those that wait and those that are wrong, mixed."""
    draw = random.Random(5)
    model: dict[bytes, bytes] = {}
    said, expected = [], []

    def bulk(data: bytes | None) -> bytes:
        return b"$-1\r\n" if data is None else b"$%d\r\n%b\r\n" % (len(data), data)

    for i in range(3000):
        key = b"p%d" % draw.randrange(60)
        kind = draw.random()
        if kind < 0.4:
            size = draw.choice([0, 3, 100, 5000]) if draw.random() < 0.97 else 50_000
            payload = draw.randbytes(size)
            said.append(request(b"SET", key, payload))
            expected.append(bulk(None if model.get(key) == payload else key))
            model[key] = payload
        elif kind < 0.8:
            said.append(request(b"GET", key))
            expected.append(bulk(model.get(key)))
        elif kind < 0.85:
            said.append(request(b"MGET", key, b"none"))
            expected.append(b"*2\r\n" + bulk(model.get(key)) + b"$-1\r\n")
        elif kind < 0.9:
            said.append(request(b"DEL", key))
            expected.append(b"+OK\r\n" if model.pop(key, None) is not None else b"-Key not found\r\n")
        elif kind < 0.95:
            said.append(request(b"HISTORY", b"none%d" % i))
            expected.append(b"-Key not found\r\n")
        else:
            said.append(request(b"NOSUCH"))
            expected.append(b"-Command not supported\r\n")
    with raw(running.port) as connection:
        sender = threading.Thread(target=connection.sendall, args=(b"".join(said),))
        sender.start()
        whole = b"".join(expected)
        assert exactly(connection, len(whole)) == whole
        sender.join(LIMIT)


def test_a_client_that_does_not_read_costs_bounded_memory_and_holds_up_nobody(running: Running) -> None:
    """Gigabytes are asked for; what waits for the client stays small, and others are served."""
    payload = bytes(1_000_000)
    with raw(running.port) as slow, raw(running.port) as other:
        other.sendall(request(b"SET", b"huge", payload))
        assert exactly(other, 10) == b"$4\r\nhuge\r\n"
        ask = request(b"GET", b"huge") * 200 + request(b"MGET", *[b"huge"] * 1000)
        slow.sendall(ask)
        other.sendall(request(b"PING"))
        assert exactly(other, 7) == b"+PONG\r\n"
        waiting = max(
            connection._transport.get_write_buffer_size() for connection in running.server.connections
        )
        assert waiting < 8_000_000
        one = b"$1000000\r\n" + payload + b"\r\n"
        for _ in range(200):
            assert exactly(slow, len(one)) == one
        assert exactly(slow, 7) == b"*1000\r\n"


def test_many_clients_at_once_each_get_their_own(running: Running) -> None:
    """Sixteen clients, each with a pipeline of its own keys."""

    def talk(number: int, failed: list[object]) -> None:
        try:
            with raw(running.port) as connection:
                for turn in range(20):
                    keys = [b"c%d-%d-%d" % (number, turn, i) for i in range(32)]
                    connection.sendall(b"".join(request(b"SET", key, key * 3) for key in keys))
                    said = b"".join(b"$%d\r\n%b\r\n" % (len(key), key) for key in keys)
                    assert exactly(connection, len(said)) == said
                    connection.sendall(b"".join(request(b"GET", key) for key in keys))
                    said = b"".join(b"$%d\r\n%b\r\n" % (3 * len(key), key * 3) for key in keys)
                    assert exactly(connection, len(said)) == said
        except BaseException as error:
            failed.append(error)

    failed: list[object] = []
    threads = [threading.Thread(target=talk, args=(i, failed)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert not failed


def test_tcp_and_unix_sockets_at_once(tmp_path: Path) -> None:
    """A socket that a killed server has left is taken; one that is in use is not."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with serving(tmp_path, server={"socket": path}) as running, socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(LIMIT)
        connection.connect(str(path))
        connection.sendall(request(b"SET", b"a", b"b"))
        assert exactly(connection, 7) == b"$1\r\na\r\n"
        with raw(running.port) as other:
            other.sendall(request(b"GET", b"a"))
            assert exactly(other, 7) == b"$1\r\nb\r\n"
    assert not path.exists()


def test_a_hot_answer_is_never_an_old_one(running: Running) -> None:
    """What is kept in memory goes with the write, the deletion and the end of its namespace."""
    with raw(running.port) as a, raw(running.port) as b:

        def ask(connection: socket.socket, *words: bytes, answer: bytes) -> None:
            connection.sendall(request(*words))
            assert exactly(connection, len(answer)) == answer

        for i in range(50):
            ask(a, b"SET", b"hot", b"%03d" % i, answer=b"$3\r\nhot\r\n")
            for connection in (a, b, a):
                ask(connection, b"GET", b"hot", answer=b"$3\r\n%03d\r\n" % i)
        ask(a, b"DEL", b"hot", answer=b"+OK\r\n")
        ask(b, b"GET", b"hot", answer=b"$-1\r\n")


@pytest.mark.parametrize("durability", ["every", "group", "relaxed"])
def test_who_says_no_more_still_gets_all_answers(tmp_path: Path, durability: str) -> None:
    """As a shell does that pipes its requests in."""
    with (
        serving(tmp_path, durability=Durability.parse(durability)) as running,
        raw(running.port) as connection,
    ):
        said = [request(b"SET", b"k%d" % i, b"v") + request(b"MGET", b"k%d" % i) for i in range(50)]
        connection.sendall(b"".join(said))
        connection.shutdown(socket.SHUT_WR)
        expected = [b"$%d\r\nk%d\r\n*1\r\n$1\r\nv\r\n" % (1 + len(str(i)), i) for i in range(50)]
        assert everything(connection) == b"".join(expected)


@pytest.mark.parametrize("durability", ["every", "group", "relaxed"])
def test_sequential_keys_in_a_pipeline(tmp_path: Path, durability: str) -> None:
    """New ones count up, and are updated, whatever the durability."""
    with (
        serving(tmp_path, durability=Durability.parse(durability), mode=Mode.SEQUENTIAL) as running,
        raw(running.port) as connection,
    ):
        ids = [i.to_bytes(8, "little") for i in range(40)]
        connection.sendall(b"".join(request(b"SET", b"", b"v%d" % i) for i in range(40)))
        expected = b"".join(b"$8\r\n%b\r\n" % key for key in ids)
        assert exactly(connection, len(expected)) == expected
        connection.sendall(b"".join(request(b"SET", key, b"w") + request(b"GET", key) for key in ids))
        expected = b"".join(b"$8\r\n%b\r\n$1\r\nw\r\n" % key for key in ids)
        assert exactly(connection, len(expected)) == expected
        connection.sendall(request(b"SET", b"x" * 8, b"v") + request(b"SET", b"x" * 256, b"v"))
        expected = b"-Invalid key, only update authorized\r\n-Key too large\r\n"
        assert exactly(connection, len(expected)) == expected
