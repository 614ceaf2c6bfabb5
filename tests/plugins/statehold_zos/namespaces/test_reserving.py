"""Namespaces as those who ask for them see them: what they get, and what is refused."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from zos_namespaces import PASSWORD, Served, client, refused, said, served
from zos_pools import MIB

from statehold_zdb.client import Client, Place
from statehold_zos.model import (
    DiskType,
    Mode,
    NamespaceState,
    NoSpaceError,
    NotFoundError,
    RefusedError,
    ZdbNamespace,
)
from statehold_zos.namespaces import SERVER_ROOM, room_of
from statehold_zos.namespaces._processes import serving

GIB = 1024**3


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("n"), size=100 * GIB) as found:
        found.namespaces.reserve(DiskType.SSD, "1 MiB", Mode.USER, PASSWORD)  # its server stays
        yield found


@pytest.fixture
def made(node: Served) -> Iterator[ZdbNamespace]:
    """A namespace of 1 MiB."""
    namespace = node.namespaces.reserve(DiskType.SSD, "1 MiB", Mode.USER, PASSWORD)
    yield namespace
    node.namespaces.release(namespace.id)


def test_a_namespace_is_used_with_its_password_only(made: ZdbNamespace) -> None:
    assert refused(made) == "Namespace protected and private"
    assert refused(made, "guess") == "Access denied"
    with contextlib.closing(client(made)) as talk:
        assert said(talk, b"SET", b"key", b"value") == b"key"
        assert said(talk, b"GET", b"key") == b"value"


def test_a_namespace_takes_no_more_than_its_size(node: Served, made: ZdbNamespace) -> None:
    with contextlib.closing(client(made)) as talk:
        for i in range(16):
            assert said(talk, b"SET", b"%d" % i, bytes(65536)) == b"%d" % i
        assert said(talk, b"SET", b"more", b"x") == "No space left on this namespace"
    assert node.namespaces.get(made.id).used == MIB


def test_a_size_may_be_beyond_32_bits(node: Served) -> None:
    made = node.namespaces.reserve(DiskType.SSD, "5 GiB", Mode.USER, PASSWORD)
    with node.admin(node.node.ledger.claims.get(made.id).server) as admin:
        assert admin.found([made.id])[made.id].maxsize == 5 * GIB
    node.namespaces.release(made.id)


def test_keys_of_a_sequential_namespace_are_counted(node: Served) -> None:
    made = node.namespaces.reserve(DiskType.SSD, MIB, Mode.SEQ, PASSWORD)
    assert made.mode is Mode.SEQ
    with contextlib.closing(client(made)) as talk:
        assert said(talk, b"SET", b"", b"first") == bytes(8)
    node.namespaces.release(made.id)


def test_nobody_but_the_node_is_an_administrator_or_told_of_others(made: ZdbNamespace) -> None:
    with contextlib.closing(Client(Place(host=made.host, port=made.port))) as stranger:
        for words in (
            (b"NSNEW", b"mine"),
            (b"NSDEL", made.id.encode()),
            (b"NSSET", made.id.encode(), b"public", b"1"),
        ):
            assert said(stranger, *words) == "Permission denied"
        assert said(stranger, b"NSLIST") == [b"default"]
        assert said(stranger, b"SET", b"k", b"v") == "Namespace is in read-only mode"


def test_the_same_owner_and_name_again_are_the_same_namespace(node: Served) -> None:
    first = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD, owner="app", name="blocks")
    again = node.namespaces.reserve(DiskType.SSD, "1 MiB", Mode.USER, PASSWORD, owner="app", name="blocks")
    assert again == first == node.namespaces.find("app", "blocks")
    assert node.namespaces.find("other", "blocks") is None
    assert node.namespaces.list(owner="app") == (first,)
    for size, mode, password in (
        (2 * MIB, Mode.USER, PASSWORD),
        (MIB, Mode.SEQ, PASSWORD),
        (MIB, Mode.USER, "another"),
    ):
        with pytest.raises(RefusedError):
            node.namespaces.reserve(DiskType.SSD, size, mode, password, owner="app", name="blocks")
    assert node.namespaces.get(first.id) == first
    node.namespaces.release(first.id)


@pytest.mark.parametrize("password", ["", "*", "p" * 64])
def test_a_namespace_without_a_password_is_not_made(node: Served, password: str) -> None:
    before = node.namespaces.list()
    with pytest.raises(RefusedError):
        node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, password)
    assert node.namespaces.list() == before


@pytest.mark.parametrize("size", [0, -1, "much", "0 GiB"])
def test_a_size_that_is_none_is_refused(node: Served, made: ZdbNamespace, size: int | str) -> None:
    with pytest.raises(RefusedError):
        node.namespaces.reserve(DiskType.SSD, size, Mode.USER, PASSWORD)
    with pytest.raises(RefusedError):
        node.namespaces.resize(made.id, size)


def test_what_is_not_there_is_said_so(node: Served) -> None:
    (server,) = node.namespaces.processes()
    for name in ("namespace-0", server):
        for call in (node.namespaces.get, node.namespaces.release, node.namespaces.freeze):
            with pytest.raises(NotFoundError):
                call(name)
    with pytest.raises(NoSpaceError):
        node.namespaces.reserve(DiskType.HDD, MIB, Mode.USER, PASSWORD)


def test_a_frozen_namespace_is_only_read(node: Served, made: ZdbNamespace) -> None:
    with contextlib.closing(client(made)) as talk:
        said(talk, b"SET", b"k", b"v")
        assert node.namespaces.freeze(made.id).state is NamespaceState.FROZEN
        assert said(talk, b"SET", b"k", b"w") == "Namespace is temporarily locked (read-only)"
        assert said(talk, b"GET", b"k") == b"v"
        assert node.namespaces.freeze(made.id, frozen=False).state is NamespaceState.READY
        assert said(talk, b"SET", b"k", b"w") == b"k"


def test_a_password_can_be_changed(node: Served, made: ZdbNamespace) -> None:
    node.namespaces.change_password(made.id, "new")
    assert refused(made, PASSWORD) == "Access denied"
    assert not refused(made, "new")
    with pytest.raises(RefusedError):
        node.namespaces.change_password(made.id, "")
    assert not refused(made, "new")


def test_no_password_is_clear_in_files_arguments_logs_or_errors(
    node: Served, made: ZdbNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    node.namespaces.change_password(made.id, "sesame, open yourself")
    named = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD, owner="p", name="p")
    with pytest.raises(RefusedError) as caught:
        node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, "sesame, open yourself", owner="p", name="p")
    claim = node.node.ledger.claims.get(made.id)
    secrets = [
        PASSWORD.encode(),
        b"sesame, open yourself",
        node.namespaces._servers._secrets.of(claim.server).encode(),
    ]
    places = [path.read_bytes() for path in node.config.folder.parent.rglob("*") if path.is_file()]
    for pids in serving(node.sockets).values():
        places += [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids]
    places += [caplog.text.encode(), str(caught.value).encode(), repr(named).encode()]
    assert not [place for place in places for secret in secrets if secret in place]
    for path in node.folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0
    assert node.folder.stat().st_mode & 0o077 == 0
    node.namespaces.release(named.id)


def test_an_error_of_a_server_never_has_a_password_in_it(node: Served, made: ZdbNamespace) -> None:
    server = node.node.ledger.claims.get(made.id).server
    with node.admin(server) as admin, pytest.raises(RefusedError) as caught:
        admin.password(made.id, PASSWORD * 9)
    assert PASSWORD not in str(caught.value)


def test_to_grow_takes_room_just_once_and_to_shrink_gives_it_back(tmp_path: Path) -> None:
    """Of a pool that has just as much; what is written already does not count twice."""
    small, large = 8 * MIB, 16 * MIB
    with served(tmp_path, size=SERVER_ROOM + room_of(large) + room_of(MIB)) as node:
        first = node.namespaces.reserve(DiskType.SSD, small, Mode.USER, PASSWORD)
        other = node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD)
        with contextlib.closing(client(first)) as talk:
            for i in range(8):
                assert said(talk, b"SET", b"%d" % i, bytes(MIB)) == b"%d" % i
            assert said(talk, b"SET", b"8", b"x") == "No space left on this namespace"
            assert node.namespaces.resize(first.id, large).size == large
            assert node.node.free() == 0
            for i in range(8, 12):
                assert said(talk, b"SET", b"%d" % i, bytes(MIB)) == b"%d" % i
            with pytest.raises(NoSpaceError):
                node.namespaces.resize(first.id, large + MIB)
            with pytest.raises(RefusedError):
                node.namespaces.resize(first.id, small)
            assert node.namespaces.get(first.id).size == large
            assert said(talk, b"SET", b"12", bytes(MIB)) == b"12"
            for i in range(1, 13):
                said(talk, b"DEL", b"%d" % i)
        assert node.namespaces.resize(first.id, small).size == small
        assert node.node.free() == room_of(large) - room_of(small)
        assert node.namespaces.resize(other.id, 2 * MIB).size == 2 * MIB
        assert node.namespaces.get(first.id).used == MIB
        assert node.disagreements() == []


def test_threads_that_ask_at_once_share_one_server(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with served(tmp_path) as node, ThreadPoolExecutor(4) as threads:
        made = list(
            threads.map(
                lambda number: node.namespaces.reserve(
                    DiskType.SSD, MIB, Mode.USER, PASSWORD, owner="t", name=str(number % 3)
                ),
                range(6),
            )
        )
        assert len({each.id for each in made}) == 3
        assert len({each.port for each in made}) == 1
        assert node.disagreements() == []
        list(threads.map(lambda each: node.namespaces.release(each.id), set(made)))
        assert node.namespaces.processes() == []
        assert node.disagreements() == []
