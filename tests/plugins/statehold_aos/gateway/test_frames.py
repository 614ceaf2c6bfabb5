"""What is read and written past the library of WebSocket is what the library reads and writes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from statehold_aos.gateway._frames import Frames

URI = parse_uri("ws://127.0.0.1:1/")
LARGEST = 200_000
SIZES = (1, 2, 125, 126, 127, 1000, 65_535, 65_536, 70_000)


def client(state: State = State.OPEN) -> ClientProtocol:
    return ClientProtocol(URI, state=state, max_size=LARGEST)


def server(state: State = State.OPEN) -> ServerProtocol:
    return ServerProtocol(state=state, max_size=LARGEST)


class Pair:
    """Two sides whose handshake is done."""

    def __init__(self) -> None:
        self.protocols = client(State.CONNECTING), server(State.CONNECTING)
        self.client, self.server = (Frames(one, LARGEST) for one in self.protocols)
        asks, answers = self.protocols
        asks.send_request(asks.connect())
        (request,) = self.server.feed(b"".join(asks.data_to_send()))
        answers.send_response(answers.accept(request))
        self.client.feed(b"".join(answers.data_to_send()))
        assert (asks.state, answers.state) == (State.OPEN, State.OPEN)


def frame(data: bytes, opcode: Opcode = Opcode.BINARY, *, mask: bool, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)


def in_parts(frames: Frames, stream: bytes, chance: random.Random) -> list[Any]:
    found: list[Any] = []
    while stream:
        size = chance.choice((1, 2, 3, 7, 100, 5_000, 100_000))
        found += frames.feed(stream[:size])
        stream = stream[size:]
    return found


@pytest.mark.parametrize("to_server", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_messages_come_whole_and_in_order_however_the_stream_is_cut(seed: int, *, to_server: bool) -> None:
    chance, pair = random.Random(seed), Pair()
    stream, expected = b"", []
    for number in range(60):
        body = chance.randbytes(chance.choice(SIZES))
        kind = chance.choice((Opcode.BINARY, Opcode.TEXT))
        match number % 6:
            case 0:  # parts, with a ping between them
                stream += frame(body, kind, mask=to_server, fin=False)
                stream += frame(b"?", Opcode.PING, mask=to_server)
                stream += frame(b"", Opcode.CONT, mask=to_server, fin=False)
                stream += frame(b"end", Opcode.CONT, mask=to_server)
                expected.append(body + b"end")
            case 1:
                stream += frame(b"", Opcode.PONG, mask=to_server)
            case 2:
                stream += frame(b"", kind, mask=to_server)  # which is none
            case _:
                stream += frame(body, kind, mask=to_server)
                expected.append(body)
    reader, protocol = (pair.server, pair.protocols[1]) if to_server else (pair.client, pair.protocols[0])
    assert in_parts(reader, stream, chance) == expected
    pongs = b"".join(protocol.data_to_send())
    assert pongs.count(b"?") == 10 or not to_server  # masked, the other way round
    stream = frame(b"\x03\xe8", Opcode.CLOSE, mask=to_server) + frame(b"after", mask=to_server)
    assert in_parts(reader, stream, chance) == []
    assert protocol.close_rcvd is not None
    reader.end()


@pytest.mark.parametrize("size", [*SIZES, LARGEST])
def test_what_is_written_is_what_the_library_reads(size: int) -> None:
    pair = Pair()
    body = random.Random(size).randbytes(size)
    for one, protocol in ((pair.client, server()), (pair.server, client())):
        protocol.receive_data(one.written(body))
        (event,) = protocol.events_received()
        assert isinstance(event, Frame)
        assert (event.opcode, event.data, event.fin) == (Opcode.BINARY, body, True)


def test_no_two_messages_have_the_same_mask() -> None:
    pair = Pair()
    masks = {pair.client.written(b"x")[2:6] for _ in range(500)}
    assert len(masks) >= 499


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (b"\x82\x01a", 1002),  # not masked
        (b"\xc2\x81abcd!", 1002),  # a bit that means nothing
        (b"\x83\x81abcd!", 1002),  # a kind that there is not
        (b"\x80\x81abcd!", 1002),  # the rest of nothing
        (b"\x82\xff" + (LARGEST + 1).to_bytes(8) + b"abcd", 1009),
    ],
)
def test_what_breaks_the_rules_ends_the_connection_after_what_came_before(broken: bytes, code: int) -> None:
    pair = Pair()
    good = frame(b"good", mask=True)
    assert pair.server.feed(good + broken + good) == [b"good"]
    close = pair.protocols[1].close_sent
    assert close is not None
    assert close.code == code
    assert pair.server.feed(good) == []


def test_a_message_within_another_one_ends_the_connection() -> None:
    pair = Pair()
    stream = frame(b"a", mask=True, fin=False) + frame(b"b", mask=True)
    assert pair.server.feed(stream) == []
    assert pair.protocols[1].close_sent is not None


def test_what_a_client_sends_before_it_has_an_answer_waits_for_it() -> None:
    asks, answers = client(State.CONNECTING), server(State.CONNECTING)
    frames = Frames(answers, LARGEST)
    asks.send_request(asks.connect())
    stream = b"".join(asks.data_to_send()) + frame(b"early", mask=True)
    found = [one for at in range(len(stream)) for one in frames.feed(stream[at : at + 1])]
    (request,) = found
    answers.send_response(answers.accept(request))
    assert frames.feed(b"") == [b"early"]


def test_a_stream_that_ends_within_a_message_says_so() -> None:
    pair = Pair()
    assert pair.server.feed(frame(b"whole", mask=True) + frame(b"cut off", mask=True)[:-1]) == [b"whole"]
    assert pair.server.end() == []
    assert isinstance(pair.protocols[1].parser_exc, EOFError)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_server_that_refuses_is_understood_before_it_ends(size: int) -> None:
    asks = client(State.CONNECTING)
    frames = Frames(asks, LARGEST)
    asks.send_request(asks.connect())
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nno!!\n"
    for at in range(0, len(answer), size):
        assert frames.feed(answer[at : at + size]) == [] or at + size >= len(answer)
    assert "403" in str(asks.handshake_exc)
    assert asks.close_expected()
