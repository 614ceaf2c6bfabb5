"""However requests are cut and mixed with those of others: each client is answered as if it were alone."""

from __future__ import annotations

import contextlib
import random
import threading
from pathlib import Path

import pytest
from zdb_engines import contents
from zdb_servers import LIMIT, bulk, clients, exactly, one_turn, request, serving

from statehold_zdb.engine import Durability
from statehold_zdb.server._protocol import SETS, lines_of, one_set

SIZES = (0, 1, 100, 1100, 4000, 16_384, 16_385, 40_000, 131_072, 300_000)
WEIGHTS = (2, 20, 30, 10, 20, 4, 4, 4, 2, 2)


def stream(chance: random.Random, who: bytes, count: int) -> tuple[bytes, bytes, dict[bytes, bytes]]:
    """Return requests, what is to be answered, and what is there then."""
    asked, answers, model = [], [], {}
    for _ in range(count):
        key = b"%b-%d" % (who, chance.randrange(30))
        command = chance.choices(("SET", "GET", "DEL", "PING", "none"), (80, 6, 6, 4, 4))[0]
        if command == "SET":
            payload = chance.randbytes(chance.choices(SIZES, WEIGHTS)[0])
            if chance.random() < 0.1:
                payload += b"\r\n" + payload[:10]
            asked.append(request(b"SET", key, payload))
            same = model.get(key, b"") == payload and key in model
            answers.append(b"$-1\r\n" if same else bulk(key))
            model[key] = payload
        elif command == "GET":
            asked.append(request(b"GET", key))
            answers.append(bulk(model[key]) if key in model else b"$-1\r\n")
        elif command == "DEL":
            asked.append(request(b"DEL", key))
            answers.append(b"-Key not found\r\n" if model.pop(key, None) is None else b"+OK\r\n")
        elif command == "PING":
            asked.append(request(b"PING"))
            answers.append(b"+PONG\r\n")
        else:
            asked.append(request(b"NONE", key))
            answers.append(b"-Command not supported\r\n")
    return b"".join(asked), b"".join(answers), model


def pieces(chance: random.Random, data: bytes) -> list[bytes]:
    """Return *data* in pieces, most of them as many requests come, few of them tiny."""
    found = []
    while data:
        size = chance.choice((1, 150, 700, 5000, 60_000))
        found.append(data[:size])
        data = data[size:]
    return found


def mixed(tmp_path: Path, durability: str, seed: int, *, count: int, many: int) -> None:
    chance = random.Random(seed)
    options = {"durability": Durability.parse(durability)}
    with (
        serving(tmp_path, server={"socket": tmp_path / "s"}, **options) as running,
        clients(tmp_path / "s", many) as made,
    ):
        streams = [stream(chance, b"%d" % i, count) for i in range(many)]
        got: list[bytes] = [b""] * many

        def read(i: int) -> None:
            got[i] = exactly(made[i], len(streams[i][1]))

        readers = [threading.Thread(target=read, args=(i,)) for i in range(many)]
        for reader in readers:
            reader.start()
        waiting = [pieces(chance, asked) for asked, *_ in streams]
        while any(waiting):
            some = [i for i, left in enumerate(waiting) if left and chance.random() < 0.8]
            if chance.random() < 0.5:
                with one_turn(running):
                    for i in some:
                        with made[i].dup() as writer:  # readers keep their own limit
                            writer.setblocking(False)
                            with contextlib.suppress(BlockingIOError):
                                sent = writer.send(waiting[i][0])
                                waiting[i][0] = waiting[i][0][sent:]
            else:
                for i in some:
                    made[i].sendall(waiting[i].pop(0))
            waiting = [[piece for piece in left if piece] for left in waiting]
        for reader in readers:
            reader.join(LIMIT)
        for i, (_, answers, _) in enumerate(streams):
            assert got[i] == answers
        expected: dict[bytes, bytes] = {}
        for *_, model in streams:
            expected |= model
        assert contents(running.engine["default"]) == expected


@pytest.mark.parametrize("durability", ["every", "group", "relaxed:3600"])
def test_a_stream_of_requests_is_answered_as_if_it_came_alone(tmp_path: Path, durability: str) -> None:
    """Simple SETs of several clients are done together, others not; large ones have their own way."""
    mixed(tmp_path, durability, 1, count=60 if durability != "every" else 20, many=4)


@pytest.mark.parametrize("durability", ["group", "relaxed:3600"])
def test_a_stream_of_the_only_client_is_answered_too(tmp_path: Path, durability: str) -> None:
    """For whom nothing waits for the end of a turn."""
    mixed(tmp_path, durability, 2, count=150, many=1)


def test_long_payloads_are_split_where_their_lengths_say() -> None:
    """Whatever is in them; what is damaged or cut off is left as it came."""
    chance = random.Random(3)
    for turn in range(300):
        pairs = [
            (chance.randbytes(chance.randint(0, 20)), b"%b\r\n" % chance.randbytes(chance.randint(900, 5000)))
            for _ in range(chance.randint(1, 6))
        ]
        data = b"".join(request(b"SET", *pair) for pair in pairs) + chance.choice((b"", request(b"PING")))
        lines = lines_of(data)
        assert b"\r\n".join(lines) == data
        if len(pairs[0][1]) > 1024:
            end = 7 * len(pairs)
            assert list(zip(lines[4:end:7], lines[6:end:7], strict=True)) == pairs
        cut = bytearray(data[: chance.randint(0, len(data))])
        for _ in range(turn % 4):
            if cut:
                cut[chance.randrange(min(len(cut), 60))] = chance.choice(b"\r\n$*019S")
        assert b"\r\n".join(lines_of(bytes(cut))) == cut


@pytest.mark.parametrize("key", [b"k", b"\r\n", b"k" * 254, b"k" * 255])
def test_one_set_is_taken_for_that_when_all_of_it_has_come_and_no_more(key: bytes) -> None:
    """However little, or much, is left of it."""
    for payload in (b"", b"v", b"\r\n", b"v\r\n", b"v" * 30, b"v\r\n" * 110, b"v" * 16_384):
        data = request(b"SET", key, payload)
        found = one_set(data)
        assert found is None or found == (b"$%d" % len(key), key, payload)
        assert found is not None or b"\r\n" in key or not payload
        for end in (*range(len(SETS), min(len(data), 700)), len(data) - 2, len(data) - 1):
            assert one_set(data[:end]) is None
        for more in (b"\r", b"\r\n", data):
            assert one_set(data + more) is None


@pytest.mark.parametrize("many", [1, 2])
def test_a_set_of_an_empty_payload_is_done_when_its_end_has_come(tmp_path: Path, many: int) -> None:
    path = tmp_path / "s"
    with serving(tmp_path, server={"socket": path}) as running, clients(path, many) as (each, *_):
        each.sendall(request(b"SET", b"k", b"")[:-2])
        for _ in range(3):  # until the server has seen that
            with one_turn(running):
                pass
        each.sendall(b"\r\n" + request(b"PING"))
        assert exactly(each, 14) == bulk(b"k") + b"+PONG\r\n"


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100))
def test_many_streams_of_requests_are_answered_as_if_each_came_alone(tmp_path: Path, seed: int) -> None:
    """As above, with other requests each time."""
    mixed(tmp_path, ("group", "relaxed:3600")[seed % 2], 100 + seed, count=120, many=1 + seed % 6)
