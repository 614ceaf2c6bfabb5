"""Servers that end, hang or do not start; and namespaces that are not what was reserved."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import zos_other_zdb
from zos_namespaces import PASSWORD, Served, client, end_all, refused, said, served
from zos_pools import MIB

from statehold_zos.model import DiskType, Mode, NamespaceState, ZosError
from statehold_zos.namespaces import Namespaces
from statehold_zos.namespaces._lock import locked
from statehold_zos.namespaces._processes import serving
from statehold_zos.namespaces._sockets import make


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("n"), grace=60) as found:
        found.namespaces.reserve(DiskType.SSD, MIB, Mode.SEQ, PASSWORD, owner="o", name="stays")
        yield found


def pid_of(node: Served) -> int:
    ((pid,),) = serving(node.sockets).values()
    return pid


def kill(pid: int) -> None:
    process = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([process], [], [], 60)[0]
    os.close(process)


def test_a_server_that_was_killed_is_found_again_with_its_port_mode_data_and_locks(node: Served) -> None:
    (made,) = node.namespaces.list()
    with contextlib.closing(client(made)) as talk:
        key = said(talk, b"SET", b"", b"first")
    assert isinstance(key, bytes)
    node.namespaces.freeze(made.id)
    kill(pid_of(node))
    assert node.namespaces.get(made.id).state is NamespaceState.GONE
    report = node.again().reconcile()
    assert len(report.started) == 1
    assert not report.mended
    found = node.namespaces.get(made.id)
    assert (found.port, found.mode, found.state) == (made.port, Mode.SEQ, NamespaceState.FROZEN)
    assert refused(found) == "Namespace protected and private"
    with contextlib.closing(client(found)) as talk:
        assert said(talk, b"GET", key) == b"first"
        assert said(talk, b"SET", b"", b"x") == "Namespace is temporarily locked (read-only)"
    node.namespaces.freeze(made.id, frozen=False)
    assert node.again().reconcile().clean


def test_a_server_runs_in_a_session_of_its_own_and_is_nobodys_child(node: Served) -> None:
    pid = pid_of(node)
    assert os.getsid(pid) != os.getsid(0)
    assert Path(f"/proc/{pid}/cwd").resolve() == Path("/")
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_a_server_that_hangs_is_ended_and_started_again(node: Served) -> None:
    before = pid_of(node)
    os.kill(before, signal.SIGSTOP)
    hasty = Namespaces(node.config, node.node.ledger, node.node.pools, clock=node.clock, limit=0.5)
    report = hasty.reconcile()
    assert len(report.started) == 1, report
    assert pid_of(node) != before
    assert node.namespaces.reconcile().clean


def test_what_somebody_has_changed_at_a_server_is_as_it_was_reserved_again(node: Served) -> None:
    (made,) = node.namespaces.list()
    (server,) = node.namespaces.processes()
    with node.admin(server) as admin:
        admin._call("NSSET", made.id, "public", "1")
        admin._call("NSSET", made.id, "maxsize", "0")
        admin._call("NSSET", made.id, "lock", "1")
    assert node.namespaces.reconcile().mended == (made.id,)
    assert node.namespaces.reconcile().clean
    assert node.disagreements() == []
    with node.admin(server) as admin:
        admin._call("NSSET", made.id, "password", "*")
    report = node.namespaces.reconcile()
    assert "password" in report.faults[0]
    with contextlib.closing(client(made, "")) as talk:
        assert said(talk, b"SET", b"", b"x") == "Namespace is temporarily locked (read-only)"
    node.namespaces.change_password(made.id, PASSWORD)
    assert node.namespaces.reconcile().mended == (made.id,)
    assert node.namespaces.reconcile().clean


def test_namespaces_that_nobody_has_reserved_are_removed_or_if_they_hold_something_locked(
    node: Served,
) -> None:
    (server,) = node.namespaces.processes()
    with node.admin(server) as admin:
        for name in ("empty", "full"):
            admin.make(name, mode=Mode.USER, size=MIB, password=PASSWORD)
    (made,) = node.namespaces.list()
    with contextlib.closing(client(attrs.evolve(made, id="full"))) as talk:
        said(talk, b"SET", b"k", b"v")
        report = node.namespaces.reconcile()
        assert (report.removed, report.unknown) == (("empty",), ("full",))
        assert said(talk, b"SET", b"k", b"w") == "Namespace is temporarily locked (read-only)"
    assert node.namespaces.reconcile(unknown=True).removed == ("full",)
    assert node.disagreements() == []


def test_a_namespace_that_its_server_has_lost_is_told_of_and_not_made_anew(node: Served) -> None:
    made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD)
    (server,) = node.namespaces.processes()
    with node.admin(server) as admin:
        admin.delete(made.id)
    assert node.namespaces.reconcile().missing == (made.id,)
    assert node.namespaces.get(made.id).state is NamespaceState.GONE
    node.namespaces.release(made.id, now=True)
    assert node.namespaces.reconcile().clean


def test_a_server_that_no_claim_knows_is_ended(node: Served) -> None:
    (server,) = node.namespaces.processes()
    stranger = "server-0123456789abcdef"
    launched = node.namespaces._servers._launch(stranger, node.folder / "stranger", 2**20)
    launched.run(0)
    assert sorted(node.namespaces.processes()) == sorted([server, stranger])
    assert node.namespaces.reconcile().removed == (stranger,)
    assert node.namespaces.processes() == [server]


def test_a_server_that_does_not_start_is_tried_ever_more_seldom_and_leaves_nothing(tmp_path: Path) -> None:
    program = tmp_path / "zdb"
    program.write_text(f"#!/bin/sh\necho started >> {tmp_path / 'starts'}\necho no disk\nexit 1\n")
    program.chmod(0o755)
    with served(tmp_path, zdb=program) as node:
        with pytest.raises(ZosError, match="no disk") as caught:
            node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD)
        assert PASSWORD not in str(caught.value)
        assert node.node.free() == 64 * MIB
        assert node.disagreements() == []
    # One that ran, and does not any more.
    with served(tmp_path / "other") as node:
        made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD)
        end_all(node.folder)
        node.config = type(node.config)(folder=node.config.folder, grace=0, zdb=program)
        (tmp_path / "starts").unlink()
        broken = node.again()
        assert "no disk" in broken.reconcile().faults[0]
        starts = (tmp_path / "starts").read_text()
        # Within that time it is not tried, however long this takes: the waiting time is made long.
        ((server, (failures, _)),) = broken._servers._failures.items()
        broken._servers._failures[server] = failures, float("inf")
        assert "later" in broken.reconcile().faults[0]
        assert (tmp_path / "starts").read_text() == starts
        node.config = type(node.config)(folder=node.config.folder, grace=0)
        assert node.again().reconcile().started == (server,)
        assert node.namespaces.get(made.id).port == made.port


def test_a_port_that_somebody_else_has_now_is_changed(node: Served) -> None:
    (made,) = node.namespaces.list()
    node.namespaces.stop()
    with socket.create_server(("127.0.0.1", made.port)):
        assert node.namespaces.reconcile().started
        found = node.namespaces.get(made.id)
        assert found.port != made.port
        assert refused(found, PASSWORD) == ""


def test_a_0_db_of_the_operator_serves_namespaces_as_well(tmp_path: Path) -> None:
    with served(tmp_path, zdb=zos_other_zdb.binary(tmp_path)) as node:
        made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.SEQ, PASSWORD, owner="o", name="n")
        again = node.namespaces.reserve(DiskType.SSD, MIB, Mode.SEQ, PASSWORD, owner="o", name="n")
        assert again.id == made.id
        assert refused(made) == "Namespace protected and private"
        with contextlib.closing(client(made)) as talk:
            assert said(talk, b"SET", b"", b"first") == bytes(8)
        assert node.namespaces.resize(made.id, 2 * MIB).size == 2 * MIB
        assert node.namespaces.resize(made.id, MIB).used == 5
        assert node.disagreements() == []
        node.namespaces.release(made.id)
        assert node.disagreements() == []
        assert node.namespaces.processes() == []


def test_files_of_another_version_are_not_deleted_at_the_start(tmp_path: Path) -> None:
    """The original deletes data and index of an older 0-db before it starts."""
    with served(tmp_path) as node:
        made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD)
        with contextlib.closing(client(made)) as talk:
            assert said(talk, b"SET", b"key", b"something of somebody") == b"key"
        node.namespaces.stop()
        root = node.node.land.pools["pool"][0] / "spaces"
        files = [path for path in root.rglob(f"{made.id}/*") if path.name != "zdb-namespace"]
        assert sorted(path.name for path in files) == ["d0", "i0"]
        for path in files:
            path.write_bytes(b"DAT0\2\0\0\0" + path.read_bytes()[8:])
        node.namespaces.reconcile()
        (data,) = (path for path in files if path.name == "d0")
        assert b"something of somebody" in data.read_bytes()


def test_who_waits_too_long_for_a_server_is_told(tmp_path: Path) -> None:
    with (
        locked(tmp_path, "pool", patience=1),
        pytest.raises(ZosError, match="at work on the 0-db of pool"),
        locked(tmp_path, "pool", patience=0.05),
    ):
        pass
    with locked(tmp_path, "pool", patience=0):
        pass


def test_a_node_with_too_long_a_path_has_its_sockets_in_a_short_folder_which_goes_with_them(
    tmp_path: Path,
) -> None:
    with served(tmp_path / ("x" * 100)) as node:
        made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD)
        place = made.socket.parent
        try:
            assert len(str(made.socket)) <= 107
            assert stat.S_IMODE(place.stat().st_mode) == 0o700
            assert [each.id for each in node.again().list()] == [made.id]
        finally:
            node.namespaces.release(made.id, now=True)
            node.namespaces.reconcile()
        assert not place.exists()


def test_a_short_folder_that_others_may_enter_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "sockets"
    folder.mkdir(mode=0o755)
    with pytest.raises(ZosError, match="this user alone may enter"):
        make(folder)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ZosError, match="this user alone may enter"):
        make(tmp_path / "link")
