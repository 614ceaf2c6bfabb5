"""What a server is told to make a namespace, to the packet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from statehold_zos.model import Mode, RefusedError, ZosError
from statehold_zos.namespaces._admin import Admin


def answering(place: Path, answers: Callable[[bytes], bytes], heard: list[bytes]) -> threading.Thread:
    """Answer one connection, packet by packet, until it ends."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(place))
    listening.listen()

    def serve() -> None:
        with listening, listening.accept()[0] as connection:
            while packet := connection.recv(65536):
                heard.append(packet)
                connection.sendall(answers(packet))

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def commands(packet: bytes) -> list[list[bytes]]:
    """Return the commands of a packet, without the lengths."""
    return [
        [word for word in command.split(b"\r\n")[1:] if word and not word.startswith(b"$")]
        for command in packet.split(b"*")[1:]
    ]


def original(packet: bytes) -> bytes:
    """Answer as a 0-db that makes a namespace by its name alone."""
    found = commands(packet)
    too_many = found[0][0] == b"NSNEW" and len(found[0]) > 2
    return b"-Unexpected arguments\r\n" if too_many else b"+OK\r\n" * len(found)


def test_a_server_that_makes_a_namespace_by_its_name_alone_is_told_the_rest_in_the_same_packet(
    tmp_path: Path,
) -> None:
    """It is locked first, and unlocked when all was taken: then it has its password, and its limit."""
    heard: list[bytes] = []
    thread = answering(tmp_path / "s", original, heard)
    with Admin(tmp_path / "s", "secret", limit=60) as admin:
        admin.make("n", mode=Mode.SEQ, size=5 * 2**30, password="pass")
    thread.join(60)
    *_, whole, unlock = map(commands, heard)
    assert [words[2:] for words in whole] == [
        [],
        [b"lock", b"1"],
        [b"password", b"pass"],
        [b"public", b"0"],
        [b"maxsize", b"5368709120"],
        [b"mode", b"seq"],
    ]
    assert unlock == [[b"NSSET", b"n", b"lock", b"0"]]


def test_what_a_server_cannot_make_as_it_should_be_is_deleted_while_it_is_locked(tmp_path: Path) -> None:
    def answers(packet: bytes) -> bytes:
        found = original(packet)
        return found[:-5] + b"-Invalid property\r\n" if found.count(b"+") > 1 else found

    heard: list[bytes] = []
    thread = answering(tmp_path / "s", answers, heard)
    with Admin(tmp_path / "s", "secret", limit=60) as admin, pytest.raises(RefusedError) as caught:
        admin.make("n", mode=Mode.SEQ, size=1, password="pass word")
    thread.join(60)
    assert "pass word" not in str(caught.value)
    assert commands(heard[-1]) == [[b"NSDEL", b"n"]]
    assert not any(words[2:] == [b"lock", b"0"] for packet in heard for words in commands(packet))


def test_a_namespace_is_missing_only_if_its_server_says_so(tmp_path: Path) -> None:
    said = iter([b"-Namespace not found\r\n", b"-Permission denied\r\n"] * 2)
    place = tmp_path / "0-db not found"
    thread = answering(place, lambda packet: next(said) if b"\r\nNS" in packet else b"+OK\r\n", [])
    with Admin(place, "secret", limit=60) as admin:
        assert admin.found(["n"]) == {}
        with pytest.raises(ZosError, match="refused NSINFO n: Permission denied"):
            admin.found(["n"])
        admin.delete("n")
        with pytest.raises(ZosError, match="refused NSDEL n: Permission denied"):
            admin.delete("n")
    thread.join(60)
