from __future__ import annotations

import socket
import struct

import pytest

from statehold.loading.sandbox._target import Targets, parse, resolve


def targets(*network, **names):
    asked = []

    def look_up(name):
        asked.append(name)
        return names[name.partition(".")[0]]

    found = Targets(network, look_up)
    found.asked = asked
    return found


def test_an_address_is_granted_with_its_port_or_with_all():
    found = targets("192.0.2.1:80", "192.0.2.2", "2001:db8::1")
    assert found.find("192.0.2.1", 80) == ["192.0.2.1"]
    assert found.find("192.0.2.1", 81) == []
    assert found.find("192.0.2.2", 1) == ["192.0.2.2"]
    assert found.find("192.0.2.3", 80) == []
    assert found.find("2001:db8::1", 80) == ["2001:db8::1"]


def test_a_name_is_found_by_the_address_that_stands_for_it():
    found = targets("one.test:80", "two.test", one=["192.0.2.1"], two=["192.0.2.2", "2001:db8::2"])
    assert found.find("127.83.0.1", 80) == ["192.0.2.1"]
    assert found.find("127.83.0.1", 81) == []
    assert found.find("127.83.0.2", 81) == ["192.0.2.2", "2001:db8::2"]
    assert found.find("127.83.0.3", 80) == []
    assert found.describe("127.83.0.1", 81) == "one.test:81"


def test_a_name_is_resolved_when_it_is_needed_and_not_for_every_connection():
    found = targets("one.test", one=["192.0.2.1"])
    assert found.asked == []
    found.find("127.83.0.1", 1)
    found.find("127.83.0.1", 2)
    assert found.asked == ["one.test"]


def test_the_address_that_a_name_has_is_not_granted_itself():
    found = targets("one.test", one=["192.0.2.1"])
    found.find("127.83.0.1", 1)
    assert found.find("192.0.2.1", 1) == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1%eth0", "224.0.0.1", "::ffff:127.0.0.1"],
)
def test_a_name_leads_neither_to_this_machine_nor_to_its_link(address):
    with pytest.raises(PermissionError, match="which a name may not"):
        targets("one.test", one=[address]).find("127.83.0.1", 80)


def test_of_the_addresses_of_a_name_those_that_it_may_have_are_taken():
    assert targets("one.test", one=["127.0.0.1", "192.0.2.1"]).find("127.83.0.1", 80) == ["192.0.2.1"]


def test_localhost_may_be_this_machine_and_is_resolved_by_it():
    assert targets("localhost", localhost=["127.0.0.1"]).find("127.83.0.1", 80) == ["127.0.0.1"]
    assert set(resolve("localhost")) & {"127.0.0.1", "::1"}


def test_what_the_kernel_calls_an_address_is_read():
    four = struct.pack("=H", socket.AF_INET) + struct.pack("!H", 80) + bytes([192, 0, 2, 1]) + bytes(8)
    six = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", 80, 0)
    mapped = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1])
    assert parse(four) == ("192.0.2.1", 80)
    assert parse(six + bytes(15) + b"\x01" + bytes(4)) == ("::1", 80)
    assert parse(six + mapped + bytes(4)) == ("192.0.2.1", 80)
    for address in (b"", b"\x02", four[:8], six + bytes(8), bytes(16), b"\x01\x00/run/socket" + bytes(20)):
        assert parse(address) is None
