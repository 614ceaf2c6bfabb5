from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold_sys._network import AddressPolicy, AddressRefusedError, Deadline
from statehold_sys._network._addresses import why_not_public


def policy(*network: str) -> AddressPolicy:
    return AddressPolicy.of("bills.Http", {"network": list(network)})


def permits(one: AddressPolicy, host: str, port: int = 80) -> bool:
    try:
        one.addresses(host, port, Deadline(5))
    except AddressRefusedError:
        return False
    return True


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "private"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("169.254.169.254", "link-local"),
        ("100.64.0.1", "not global"),
        ("198.18.0.1", "private"),
        ("192.0.2.1", "private"),
        ("224.0.0.1", "multicast"),
        ("239.1.1.1", "multicast"),
        ("240.0.0.1", "private"),
        ("255.255.255.255", "private"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fe80::1", "link-local"),
        ("fc00::1", "private"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "private"),
        ("::ffff:127.0.0.1", ""),
        ("::127.0.0.1", "reserved"),
        ("64:ff9b::127.0.0.1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("2002:7f00:1::", ""),
        ("2001:0:7f00:1::", ""),
    ],
)
def test_addresses_that_are_not_public(address: str, kind: str) -> None:
    """Every kind of address that leads inside is known, also inside an IPv6 address."""
    why = why_not_public(ip_address(address))
    assert why is not None
    assert kind in why


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "64:ff9b::808:808"])
def test_addresses_that_are_public(address: str) -> None:
    """Public ones are left alone, also behind NAT64."""
    assert why_not_public(ip_address(address)) is None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_no_safer_when_it_is_mapped(address: Any) -> None:
    """What is refused plain is refused in every IPv6 form that leads to it."""
    if why_not_public(address) is not None:
        for form in (
            f"::ffff:{address}",
            f"64:ff9b::{address}",
            f"2002:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}::",
        ):
            assert why_not_public(ip_address(form)) is not None
        assert not permits(policy(), f"::ffff:{address}")


def test_entries_allow_addresses_networks_and_hosts_with_and_without_a_port() -> None:
    """Each entry allows what it says and nothing beside it."""
    one = policy("10.0.0.0/8", "127.0.0.1:8080", "[::1]:9", "fd00::/8", "localhost:7", "192.168.0.0/16:443")
    allowed = [
        ("10.1.2.3", 1),
        ("127.0.0.1", 8080),
        ("::1", 9),
        ("[::1]", 9),
        ("fd12::1", 5),
        ("LOCALHOST", 7),
        ("192.168.7.7", 443),
        ("::ffff:10.1.2.3", 1),
    ]
    refused = [("11.0.0.1", 1), ("127.0.0.1", 80), ("::1", 8), ("127.0.0.1", 7), ("192.168.7.7", 80)]
    assert [permits(one, *target) for target in allowed] == [True] * len(allowed)
    assert [permits(one, *target) for target in refused] == [True] + [False] * 4


def test_a_mixed_answer_of_the_dns_gives_only_what_is_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a public and a private address is reached at the public one."""
    answers = [(0, 0, 0, "", (address, 80)) for address in ("10.0.0.1", "93.184.216.34", "93.184.216.34")]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answers)
    assert policy().addresses("mixed.example", 80, Deadline(5)) == ["93.184.216.34"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "::1", "[::1]", "::ffff:10.0.0.1", "fd00::1", "64:ff9b::7f00:1", "127.1", "localhost."],
)
def test_what_the_hint_says_allows_it(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who pastes the hint gets that host on that port, and no other port."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("127.0.0.1", 8080))])
    with pytest.raises(AddressRefusedError) as caught:
        policy().addresses(host, 8080, Deadline(5))
    pasted = json.loads(caught.value.hint.partition(': "Storages": ')[2])
    allowing = AddressPolicy.of("bills.Http", pasted["bills.Http"]["allow"])
    assert permits(allowing, host, 8080)
    assert not permits(allowing, host, 8081)


def test_an_answer_without_addresses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that finds a name and no address of it permits nothing, and is no refusal."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [])
    with pytest.raises(OSError, match=r"no address for 'empty\.example'"):
        policy().addresses("empty.example", 80, Deadline(5))


def test_the_refusal_says_who_what_why_and_how_to_allow_it() -> None:
    """The hint can be pasted into the descriptor."""
    with pytest.raises(AddressRefusedError) as caught:
        policy().addresses("127.0.0.1", 8080, Deadline(5))
    assert caught.value.message == "bills.Http: may not connect to 127.0.0.1:8080: 127.0.0.1 is loopback"
    assert '"Storages": {"bills.Http": {"allow": {"network": ["127.0.0.1:8080"]}}}' in caught.value.hint
