"""What `docs/sidecar-protocol.md` shows, byte by byte, is what both sides say."""

from __future__ import annotations

import itertools
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from statehold.loading._work import Work
from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._codec import Codec, decoder
from statehold.loading.sidecar._objects import Objects
from statehold.loading.sidecar.child import _existing
from statehold.loading.sidecar.child._opened import Opened
from statehold.loading.sidecar.child._server import Server
from statehold.loading.sidecar.host._lane import Lane
from statehold.sdk import DataType, Field, Key, StorageLogger, Value
from statehold.state import compile_rows

PAGE = (Path(__file__).parents[4] / "docs" / "sidecar-protocol.md").read_text(encoding="utf-8")
ROWS = compile_rows(
    "stock.Stock",
    (Field("Item", DataType.TEXT, required=True),),
    (Field("Amount", DataType.INT64, required=True), Field("Place", DataType.TEXT)),
)
OFFER = {"versions": [1], "features": ["lanes"]}


class Stock:
    def __init__(self) -> None:
        self.rows: list[tuple[Key, Value]] = []

    def resume(self, existing: Any) -> None:
        self.rows = [(key, ROWS.Value(value.Amount, value.Place)) for key, value in existing.rows()]

    def get(self, key: Key) -> Value | None:
        return ROWS.Value(70, "box") if key == ROWS.Key(1, "nail") else None


def shown(block: int) -> list[tuple[str, bytes]]:
    """Return the frames of the page, and who sends each."""
    found = re.findall(r"<!-- bytes -->\n```text\n(.*?)```", PAGE, re.DOTALL)
    frames: list[tuple[str, bytes]] = []
    for line in found[block].splitlines():
        who, data = line[:9].strip(), bytes.fromhex(line[9:])
        if who:
            frames.append((who, data))
        else:
            frames[-1] = frames[-1][0], frames[-1][1] + data
    return frames


HOST = [data for who, data in shown(0) if who == "host"]
SIDECAR = [data for who, data in shown(0) if who == "sidecar"]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def codec() -> Codec:
    return Codec(ROWS.key_fields, ROWS.value_fields, ROWS.Key, ROWS.Value, Objects())


def test_the_host_says_what_the_page_shows_and_understands_the_answers(ends) -> None:
    ours, theirs = ends
    lane, stock, anything = Lane(ours, 4.0), codec(), decoder(Any, Objects())
    theirs.sendall(SIDECAR[0])
    hello = lane.exchange(k.HELLO, 0, 0, None, OFFER, anything, monotonic())
    assert theirs.recv(1000) == HOST[0]
    assert hello.result == {"version": 1, "features": ["lanes"]}
    theirs.sendall(SIDECAR[1])
    found = lane.exchange(k.GET, 1, 0, None, stock.key(ROWS.Key(1, "nail")), stock.one, monotonic())
    assert theirs.recv(1000) == HOST[1]
    assert found.result == (70, "box")


def test_a_sidecar_in_python_answers_what_the_page_shows(ends) -> None:
    ours, theirs = ends
    log, _ = ends
    server = Server({}, theirs, log)
    work = Work("stock.Stock", StorageLogger("stock"))
    server._opened[1] = Opened(Stock(), [codec()], work, Objects(), {})
    thread = threading.Thread(target=lambda: server._serve(theirs, control=True))
    thread.start()
    ours.settimeout(30)
    for question, answer in zip(HOST, SIDECAR, strict=True):
        ours.sendall(question)
        assert ours.recv(1000) == answer
    ours.shutdown(socket.SHUT_WR)
    thread.join(30)


@pytest.fixture
def resuming(ends, monkeypatch) -> Iterator[tuple[socket.socket, Stock]]:
    """A sidecar in Python with a storage under handle 1, and the host's end of its lane."""
    monkeypatch.setattr(_existing, "_READS", itertools.count(1))
    ours, theirs = ends
    server, stock = Server({}, theirs, ours), Stock()
    work = Work("stock.Stock", StorageLogger("stock"))
    server._opened[1] = Opened(stock, [codec()], work, Objects(), {}, "stock.Stock")
    thread = threading.Thread(target=lambda: server._serve(theirs, control=True))
    thread.start()
    ours.settimeout(30)
    yield ours, stock
    ours.shutdown(socket.SHUT_WR)
    thread.join(30)


def test_a_sidecar_in_python_resumes_as_the_page_shows(resuming) -> None:
    ours, stock = resuming
    for who, frame in shown(1):
        if who == "host":
            ours.sendall(frame)
        else:
            assert ours.recv(1000) == frame
    assert stock.rows == [(ROWS.Key(1, "nail"), ROWS.Value(70, "box"))]


def test_a_sidecar_in_python_says_which_versions_it_speaks_when_there_is_none_in_common() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ValueError, match=r"^the host speaks 2, 3, this sidecar speaks 1$"):
        Server({}, ours, theirs)._hello(0, {"versions": [2, 3], "features": []})


def test_the_highest_common_version_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k, "VERSIONS", (1, 2, 3))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        answer = Server({}, ours, theirs)._hello(0, {"versions": [1, 2, 9], "features": []})
    assert answer["version"] == 2


def test_the_page_has_every_kind_of_frame_with_its_number() -> None:
    kinds = {name: value for name, value in vars(k).items() if name.isupper() and isinstance(value, int)}
    described = "HELLO DESCRIBE CHECK_CONFIG LANE PING STOP OPEN FREE PROBE GET GETBATCH READ VALIDATE APPLY"
    for name in [*described.split(), *["TO_INSERT", "TO_UPDATE", "MORE", "CANCEL", "OK", "ERROR", "ROWS"]]:
        assert f"| {kinds[name]} | {name} |" in PAGE
    numbers = [kinds[f"EXISTING_{name}"] for name in ("GET", "GETBATCH", "READ")]
    assert f"| {', '.join(map(str, numbers))} | EXISTING_GET," in PAGE
    assert f"[{k.LOG}, handle, level, message]" in PAGE
    assert f"at most {k.MAX_FRAME:,}" in PAGE


def test_the_page_has_every_field_of_what_open_is_told_and_answers() -> None:
    from statehold.loading.sidecar.host._opening import _Answer

    assert [name for name in _Answer.__struct_fields__ if f"`{name}`" not in PAGE] == []
