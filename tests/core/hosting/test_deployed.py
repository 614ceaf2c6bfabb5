"""What an operator is told who names what is not there."""

from __future__ import annotations

import pytest

from statehold.sdk import HostError


def hint(call, *args):
    with pytest.raises(HostError) as caught:
        call(*args)
    return caught.value.hint


def test_where_nothing_is_deployed_it_is_said_how_to_begin(host):
    assert hint(host.activate, "acme.kitchen", "1") == "Nothing is: statehold deploy IMAGE"


def test_one_name_and_several_are_listed_as_such(host, kitchen):
    host.deploy(kitchen("1"))
    assert hint(host.activate, "bank.safe", "1") == "There is acme.kitchen"
    host.deploy(kitchen("2"))
    assert hint(host.activate, "acme.kitchen", "nine") == "There are 1, 2"
    assert hint(host.activate, "acme.kitchn", "1") == "Did you mean 'acme.kitchen'?"


def test_the_only_version_is_not_proposed_to_be_activated_instead_of_itself(host, kitchen):
    host.deploy(kitchen("1"))
    assert hint(host.rollback, "acme.kitchen").startswith("It is the only one that is deployed")


def test_a_version_beside_is_proposed_where_there_is_none_to_roll_back_to(host, kitchen):
    host.deploy(kitchen("1"))
    host.deploy(kitchen("2"), activate=False)
    assert hint(host.rollback, "acme.kitchen").endswith("statehold activate acme.kitchen 2")
