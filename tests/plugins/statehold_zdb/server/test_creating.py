"""Namespaces that are what they are told to be from their first moment on, and names that are not told."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from zdb_engines import contents, opened
from zdb_servers import Running, Talk, serving

from statehold_zdb.engine import Disk, Engine, Mode, ZdbError

SECRET = "correct horse battery"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    server = {"admin_password": b"root", "protect": True, "hide": True}
    with serving(tmp_path_factory.mktemp("zdb"), server=server) as running:
        yield running


@pytest.fixture
def admin(running: Running) -> Iterator[Talk]:
    talk = running.client()
    assert talk("AUTH", "root") == b"OK"
    yield talk
    talk.close()


@pytest.fixture
def stranger(running: Running) -> Iterator[Talk]:
    talk = running.client()
    yield talk
    talk.close()


def test_a_namespace_is_made_with_all_that_it_is_told_to_be(
    running: Running, admin: Talk, stranger: Talk
) -> None:
    words = ("password", SECRET, "public", "0", "maxsize", str(5 * 1024**3), "mode", "seq", "lock", "1")
    assert admin("NSNEW", "whole", *words) == b"OK"
    said = admin("NSINFO", "whole").decode()
    for line in ("public: no", "password: yes", "data_limits_bytes: 5368709120", "mode: sequential"):
        assert line in said.splitlines()
    assert stranger("SELECT", "whole") == "-Namespace protected and private"
    assert stranger("SELECT", "whole", SECRET) == b"OK"
    assert stranger("SET", "", "x") == "-Namespace is temporarily locked (read-only)"


@pytest.mark.parametrize(
    "words",
    [
        ("password",),
        ("password", SECRET, "maxsize"),
        ("password", SECRET, "maxsize", "much"),
        ("password", SECRET, "maxsize", b"\xb2"),
        ("password", SECRET, "colour", "red"),
        ("password", "p" * 64),
        ("mode", "direct"),
        ("password", ""),
    ],
)
def test_a_namespace_that_cannot_be_all_that_it_is_told_to_be_is_not_made(
    admin: Talk, words: tuple[str | bytes, ...]
) -> None:
    assert str(admin("NSNEW", "half", *words)).startswith("-")
    assert b"half" not in admin("NSLIST")


def test_only_administrators_are_told_the_names_of_others(admin: Talk, stranger: Talk) -> None:
    assert admin("NSNEW", "quiet", "password", SECRET, "public", "0") == b"OK"
    assert b"quiet" in admin("NSLIST")
    assert stranger("NSLIST") == [b"default"]
    assert stranger("SELECT", "quiet", SECRET) == b"OK"
    assert stranger("NSLIST") == [b"quiet"]


def test_what_an_engine_keeps_of_a_password_is_not_the_password(tmp_path: Path) -> None:
    with Engine(tmp_path / "data", tmp_path / "index") as engine:
        made = engine.create("n", mode=Mode.SEQUENTIAL, password=SECRET.encode(), public=False, maxsize=7)
        assert (made.settings.maxsize, made.settings.public, made.settings.mode) == (
            7,
            False,
            Mode.SEQUENTIAL,
        )
        engine.configure("n", password=SECRET.encode() + b"!")
        assert engine.is_password(engine["n"], SECRET.encode() + b"!")
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_a_namespace_that_cannot_be_deleted_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that is full; later it is deleted, with all of its files."""
    with Engine(tmp_path / "data", tmp_path / "index") as engine:
        made = engine.create("n")
        made.set(b"k", b"v")
        in_the_way = tmp_path / "data" / ".deleted-mark-n" / "n"
        in_the_way.mkdir(parents=True)
        with monkeypatch.context() as patch:
            patch.setattr("statehold_zdb.engine._folders.secrets.token_hex", lambda _: "mark")
            with pytest.raises(ZdbError, match="cannot delete the namespace 'n'"):
                engine.delete("n")
        assert engine["n"].get(b"k") == b"v"
        engine["n"].set(b"k", b"w")
        engine.delete("n")
        assert engine.names() == ["default"]
        assert not [path for folder in ("data", "index") for path in (tmp_path / folder).glob("n*")]


def test_a_namespace_whose_deletion_does_not_reach_the_disk_is_as_it_was(tmp_path: Path) -> None:
    class Refusing(Disk):
        refuses = False

        def sync_folder(self, folder: str | Path) -> None:
            if self.refuses:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().sync_folder(folder)

    disk = Refusing()
    with opened(tmp_path, disk=disk) as engine:
        made = engine.create("n")
        made.set(b"k", b"v")
        disk.refuses = True
        with pytest.raises(ZdbError, match="cannot delete the namespace 'n'"):
            engine.delete("n")
        disk.refuses = False
        made.set(b"l", b"w")
    with opened(tmp_path) as engine:
        assert contents(engine["n"]) == {b"k": b"v", b"l": b"w"}
