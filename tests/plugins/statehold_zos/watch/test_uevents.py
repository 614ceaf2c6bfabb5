from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from statehold_zos.watch._uevents import Uevents


@pytest.fixture
def heard() -> Iterator[tuple[socket.socket, Uevents]]:
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.setblocking(False)
    uevents = Uevents(receiver)
    try:
        yield sender, uevents
    finally:
        sender.close()
        uevents.close()


def test_a_message_about_a_block_device_is_one_to_look_at(heard: tuple[socket.socket, Uevents]) -> None:
    sender, uevents = heard
    assert not uevents.drain()
    sender.send(b"add@/devices/virtual/bdi/7:1\0ACTION=add\0SUBSYSTEM=bdi\0")
    assert not uevents.drain()
    sender.send(b"remove@/devices/pci/block/sdb\0ACTION=remove\0SUBSYSTEM=block\0DEVNAME=sdb\0")
    sender.send(b"add@/devices/virtual/bdi/7:2\0ACTION=add\0SUBSYSTEM=bdi\0")
    assert uevents.drain()
    assert not uevents.drain()


def test_the_kernel_is_listened_to_where_that_is_possible() -> None:
    uevents = Uevents.open()
    if uevents is None:
        pytest.skip("nothing can be heard of the kernel here")
    try:
        assert uevents.fileno() >= 0
        uevents.drain()
    finally:
        uevents.close()
