"""Servers that hang while somebody looks, keys that are damaged, disks that refuse, and others in between."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from zos_namespaces import PASSWORD, Served, client, refused, served
from zos_pools import MIB

from statehold_zos.ledger import Claim, Claims
from statehold_zos.model import DiskType, Mode, NamespaceState, ZdbNamespace, ZosError
from statehold_zos.namespaces import Namespaces, _servers
from statehold_zos.namespaces._lock import locked
from statehold_zos.namespaces._processes import serving


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("n")) as found:
        found.namespaces.reserve(DiskType.SSD, MIB, Mode.SEQ, PASSWORD, owner="o", name="stays")
        yield found


def test_who_looks_does_not_wait_for_a_server_that_hangs(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_servers, "_LOOK", 0.2)
    patient = Namespaces(node.config, node.node.ledger, node.node.pools, clock=node.clock, limit=300)
    ((pid,),) = serving(node.sockets).values()
    os.kill(pid, signal.SIGSTOP)
    try:
        (found,) = patient.list()
        assert found.state is NamespaceState.GONE
        assert patient._servers._silent
    finally:
        os.kill(pid, signal.SIGCONT)
    end = time.monotonic() + 60
    while patient.get(found.id).state is not NamespaceState.READY:
        assert time.monotonic() < end
    assert not patient._servers._silent


def test_with_a_key_that_is_damaged_servers_are_started_again_with_another(node: Served) -> None:
    """What is left of it could be guessed, and with it the password of administrators."""
    (made,) = node.namespaces.list()
    key = node.folder / "key"
    key.write_bytes(b"")
    assert len(node.again().reconcile().started) == 1
    assert len(key.read_bytes()) == 32
    found = node.namespaces.get(made.id)
    assert (found.port, found.state) == (made.port, NamespaceState.READY)
    assert refused(found, PASSWORD) == ""
    assert node.disagreements() == []


def test_what_a_disk_does_not_let_go_of_is_still_reserved(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD)
    free = node.node.free()
    node.namespaces.stop()

    def rmtree(_path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", rmtree)
        with pytest.raises(ZosError, match="Read-only file system"):
            node.namespaces.release(made.id)
    assert node.node.free() == free
    report = node.namespaces.reconcile()
    assert report.deleted == (made.id,)
    assert not report.unknown
    assert node.disagreements() == []


def test_nobody_starts_a_server_anew_before_what_was_made_on_it_is_settled(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For that removes what was not made to its end."""
    settle, seen = Claims.settle, []

    def look(claims: Claims, claim: str) -> Claim:
        if claim.startswith("namespace"):
            with pytest.raises(ZosError), locked(node.folder, "pool", patience=0):
                pass
            seen.append(claim)
        return settle(claims, claim)

    monkeypatch.setattr(Claims, "settle", look)
    made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD)
    assert seen == [made.id]
    node.namespaces.release(made.id)


def test_what_is_released_while_it_is_reserved_again_is_made_anew(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reserve() -> ZdbNamespace:
        return node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD, owner="o", name="n")

    first, get = reserve(), Namespaces.get

    def released(namespaces: Namespaces, name: str) -> ZdbNamespace:
        monkeypatch.setattr(Namespaces, "get", get)
        node.namespaces.release(name)
        return get(namespaces, name)

    monkeypatch.setattr(Namespaces, "get", released)
    second = reserve()
    assert second.id != first.id
    assert second.state is NamespaceState.READY
    node.namespaces.release(second.id)
    assert node.disagreements() == []


def test_a_namespace_that_takes_more_of_the_disk_than_is_its_own_is_told_until_it_is_larger(
    node: Served,
) -> None:
    """Payloads are what its size counts; keys without any take room, too."""
    made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD)
    with contextlib.closing(client(made)) as talk:
        for begin in range(0, 12_000, 1000):
            talk.calls([(b"SET", b"%0250d" % i, b"") for i in range(begin, begin + 1000)])
        found = node.namespaces.reconcile()
        assert (found.over, found.faults) == ((made.id,), ())
        node.namespaces.resize(made.id, 4 * MIB)
        assert node.namespaces.reconcile().clean
    node.namespaces.release(made.id)
