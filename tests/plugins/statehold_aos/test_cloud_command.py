"""`statehold aos cloud`: a cloud to develop against, and the orders that it takes."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "gateway"))

from hearing import PATIENCE, Hearing

from statehold.cli import run
from statehold.sdk import Secret
from statehold_aos._cloud import _certificates
from statehold_aos._cloud._certificates import make_certificates
from statehold_aos._cloud._control import _short, ask
from statehold_aos._cloud._rule import Rule
from statehold_aos._cloud._running import Running, Settings
from statehold_aos.gateway import (
    ClaimId,
    GatewayError,
    NewState,
    Options,
    StateRequest,
    StateStatus,
    UpdateState,
    checksum_of,
    open_gateway,
)
from statehold_aos.gateway.websocket import client_context, server_context

ANN = ClaimId(1, "nav", '["ann"]')


def new(state: bytes, correlation: str, sequence: int) -> NewState:
    return NewState(
        claim=ANN, correlation=correlation, checksum=checksum_of(state), state=state, sequence=sequence
    )


class Serving:
    """The command as a process, and the events that it has shown."""

    def __init__(self, folder: Path, *options: str) -> None:
        code = "import sys; from statehold.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", code, "aos", "cloud", "serve", "--json", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--data", str(folder), *options], stdout=subprocess.PIPE, text=True
        )
        self.events: list[dict[str, Any]] = []
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.changed:
                self.events.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.events.append({"event": "over"})
            self.changed.notify_all()

    def wait_for(self, what: str) -> dict[str, Any]:
        def found() -> Any:
            return next((one for one in self.events if one["event"] in (what, "over")), None)

        with self.changed:
            assert self.changed.wait_for(found, PATIENCE), self.events
            event: dict[str, Any] = found()
        assert event["event"] == what, self.events
        return event

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def order(capsys: pytest.CaptureFixture[str]):
    def call(*given: object, code: int = 0) -> str:
        assert run(["aos", "cloud", *map(str, given)]) == code
        return "".join(capsys.readouterr())

    return call


def test_a_cloud_with_tls_accepts_rejects_pushes_and_keeps_states(tmp_path: Path, order) -> None:
    data, certificates = tmp_path / "data", tmp_path / "certificates"
    made = ("--make-certificates", str(certificates), "--units-from", str(certificates / "authority.pem"))
    make_certificates(certificates)
    serving = Serving(data, *made, "--larger-than", "100")
    unit = Hearing()
    try:
        url = serving.wait_for("listening")["url"]
        assert url.startswith("wss://127.0.0.1:")
        options = Options(
            system="unit-1",
            authorities=certificates / "authority.pem",
            certificate=certificates / "unit.pem",
            first=0.05,
        )
        gateway = open_gateway(url, options)
        gateway.connect(unit)
        unit.wait_connected()
        gateway.send(new(b"zoom=3", "1", 1))
        assert unit.wait_for(unit.messages)[0].accepted
        assert serving.wait_for("accepted")["service"] == "nav"
        assert serving.wait_for("new")["bytes"] == 6

        gateway.send(new(b"a" * 101, "2", 2))
        no = unit.wait_for(lambda: unit.messages()[1:])[0]
        assert (no.accepted, no.reason) == (False, "it has 101 bytes, 100 are accepted")
        assert "rejected from now on" in order("reject", "zoom=[9]", "--data", data)
        gateway.send(new(b"zoom=9", "3", 3))
        no = unit.wait_for(lambda: unit.messages()[2:])[0]
        assert (no.accepted, no.reason) == (False, "it matches zoom=[9]")
        assert "accepted from now on" in order("accept", "--data", data)
        gateway.send(new(b"zoom=9", "4", 4))
        assert unit.wait_for(lambda: unit.messages()[3:])[0].accepted

        (tmp_path / "state").write_bytes(b"\xff pushed")
        told = order("push", "unit-1", "nav", ANN.users, tmp_path / "state", "--data", data)
        assert "unit-1 gets the state" in told
        update = unit.wait_for(lambda: unit.messages()[4:])[0]
        assert isinstance(update, UpdateState)
        assert (update.claim, update.state) == (ANN, b"\xff pushed")
        gateway.send(StateStatus(states=((ANN, update.checksum),)))
        gateway.send(StateRequest(claim=ANN, correlation="r"))
        unit.wait_for(lambda: unit.messages()[5:])
        listed = json.loads(order("list", "--data", data, "--json"))
        (known,) = listed["units"]
        assert known["connected"]
        assert known["claims"] == [
            {**ANN._asdict(), "checksum": update.checksum.hex(), "bytes": 8, "waiting": False}
        ]
        gateway.close()
    finally:
        code = serving.end()
    assert code == 0
    assert not (data / "control").exists()

    again = Running(Settings(folder=data), lambda _: None)
    try:
        assert again.hub.systems() == ["unit-1"]
        assert again.hub.cloud("unit-1").state(ANN) == b"\xff pushed"
        assert "(away)" in order("list", "--data", data)
        assert "once it is connected" in order(
            "push", "unit-1", "nav", "bob", tmp_path / "state", "--data", data
        )
        assert "not there yet" in order("list", "--data", data)
    finally:
        again.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    one = Running(Settings(folder=tmp_path / ("long" * 30)), lambda _: None)
    yield one
    one.close()


def test_orders_that_cannot_be_done_are_told(running: Running, tmp_path: Path, order) -> None:
    folder = tmp_path / ("long" * 30)
    assert (folder / "control").stat().st_mode & 0o777 == 0o600
    with pytest.raises(GatewayError, match="nobody knows what to do"):
        ask(folder, {"do": "dance"})
    with pytest.raises(GatewayError, match="cannot be read"):
        ask(folder, {"do": "reject", "pattern": "(", "larger_than": None})
    with pytest.raises(GatewayError, match="a cloud runs already"):
        Running(Settings(folder=folder), lambda _: None)
    assert "the pattern '(' cannot be read" in order("reject", "(", "--data", folder, code=1)
    with socket.socket(socket.AF_UNIX) as sock, _short(folder) as place:
        sock.connect(place)
        sock.sendall(b"nonsense\n")
        assert sock.recv(100) == b""
    assert ask(folder, {"do": "list"})["units"] == []


def test_without_a_cloud_orders_say_how_to_start_one(tmp_path: Path, order) -> None:
    told = order("list", "--data", tmp_path, code=1)
    assert "no cloud runs in" in told
    assert "statehold aos cloud serve" in told


def test_options_that_do_not_go_together_are_told(tmp_path: Path, order) -> None:
    own = ("serve", "--data", tmp_path, "--port", 0)
    file = tmp_path / "file"
    file.touch()
    assert "needs TLS" in order(*own, "--host", "192.0.2.1", code=2)
    assert "need --certificate" in order(*own, "--key", file, code=2)
    assert "too many" in order(*own, "--certificate", file, "--make-certificates", tmp_path, code=2)
    assert "the certificate" in order(*own, "--certificate", file, code=1)
    assert "cannot be read" in order(*own, "--reject", "(", code=1)


def test_a_rule_rejects_what_matches_or_is_too_large() -> None:
    assert Rule()(new(b"a", "1", 1)) == ""
    assert Rule("b.d", 3)(new(b"b\nd", "1", 1)) == "it matches b.d"
    assert Rule("b.d", 3)(new(b"abcd", "1", 1)) == "it has 4 bytes, 3 are accepted"


def test_certificates_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "made", ("cloud.example",))
    before = made.cloud.read_bytes()
    assert make_certificates(tmp_path / "made") == made
    assert made.cloud.read_bytes() == before
    assert {path.stat().st_mode & 0o777 for path in (made.authority, made.cloud, made.unit)} == {0o600}
    assert b"PRIVATE" not in made.authority.read_bytes()


def test_certificates_satisfy_who_looks_at_all_that_must_be_in_one(tmp_path: Path) -> None:
    """As Python does from 3.13 on."""
    made = make_certificates(tmp_path)
    cloud = server_context(made.cloud, None, made.authority)
    unit = client_context(made.authority, made.unit)
    for context in (cloud, unit):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_unit, to_cloud = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        unit.wrap_bio(to_unit, to_cloud, server_hostname="localhost"),
        cloud.wrap_bio(to_cloud, to_unit, server_side=True),
    ]
    for _ in range(3):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    assert all(end.getpeercert() for end in ends)


def test_certificates_that_end_soon_or_are_damaged_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_certificates, "_DAYS", 29)
    ending = make_certificates(tmp_path / "made").cloud.read_bytes()
    monkeypatch.undo()
    made = make_certificates(tmp_path / "made")
    fresh = made.cloud.read_bytes()
    assert fresh != ending
    assert make_certificates(tmp_path / "made").cloud.read_bytes() == fresh
    made.unit.write_bytes(b"half a file")
    assert make_certificates(tmp_path / "made").cloud.read_bytes() != fresh
    fresh = made.cloud.read_bytes()
    made.authority.write_bytes(make_certificates(tmp_path / "others").authority.read_bytes())
    assert make_certificates(tmp_path / "made").cloud.read_bytes() != fresh, "of another authority"
    fresh = made.cloud.read_bytes()
    made.unit.write_bytes(made.unit.read_bytes().partition(b"-----BEGIN PRIVATE")[0])
    assert make_certificates(tmp_path / "made").cloud.read_bytes() != fresh, "without a key"
    server_context(made.cloud, None, made.authority)
    client_context(made.authority, made.unit, Secret(made.unit.read_text()))


def test_a_cloud_whose_database_fails_says_so_and_goes_on_to_take_orders(tmp_path: Path) -> None:
    running = Running(Settings(folder=tmp_path), lambda _: None)
    try:
        ask(tmp_path, {"do": "push", "unit": "u", "service": "nav", "users": "ann", "state": ""})
        with contextlib.closing(sqlite3.connect(tmp_path / "cloud.db")) as other:
            other.execute("ALTER TABLE states RENAME TO hidden")
        with pytest.raises(GatewayError, match=r"the cloud's states in .*no such table"):
            ask(tmp_path, {"do": "list"})
        with pytest.raises(GatewayError, match="no such table"):
            ask(tmp_path, {"do": "push", "unit": "v", "service": "nav", "users": "ann", "state": ""})
        with contextlib.closing(sqlite3.connect(tmp_path / "cloud.db")) as other:
            other.execute("ALTER TABLE hidden RENAME TO states")
        assert [one["unit"] for one in ask(tmp_path, {"do": "list"})["units"]] == ["u"]
    finally:
        running.close()


def test_an_order_that_makes_no_sense_is_answered_and_more_are_taken(tmp_path: Path) -> None:
    running = Running(Settings(folder=tmp_path), lambda _: None)
    try:
        for wrong in ({"do": "push", "unit": "u", "service": "nav", "users": "ann", "workspace": "x"}, [1]):
            with pytest.raises(GatewayError, match=r"could not be carried out|nobody knows"):
                ask(tmp_path, wrong)
        for wrong in (b"no order\n", b"[" * 100_000 + b"\n"):
            with socket.socket(socket.AF_UNIX) as sock, _short(tmp_path) as place:
                sock.settimeout(PATIENCE)
                sock.connect(place)
                sock.sendall(wrong)
                assert sock.recv(1) == b""
        assert ask(tmp_path, {"do": "list"})["units"] == []
    finally:
        running.close()
