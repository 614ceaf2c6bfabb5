"""What those hear who follow a change, and those who listen to all of them."""

from __future__ import annotations

import threading

import pytest

from statehold.sdk import Scope


def test_who_waits_for_a_turn_is_told_of_what_its_own_change_replaces(host, kitchen):
    host.deploy(kitchen("1"))
    second, third = kitchen("2"), kitchen("3")
    told, waits, opened, go = [], threading.Event(), threading.Event(), threading.Event()

    def hold(line):
        if line.startswith("open"):
            opened.set()
            assert go.wait(120)

    def tell(step):
        told.append(str(step))
        if step.stage == "wait":
            waits.set()

    def follow():
        with host.following("acme.kitchen", tell):
            host.deploy(third, progress=tell)

    first = threading.Thread(target=host.deploy, args=(second,), kwargs={"progress": hold})
    then = threading.Thread(target=follow)
    first.start()
    assert opened.wait(120)
    then.start()
    assert waits.wait(120)
    go.set()
    first.join(120)
    then.join(120)
    ends = [line.partition(":")[0] for line in told if line.startswith(("free", "keep"))]
    assert ends == ["free 2"]


def test_who_follows_a_change_that_is_refused_is_told_of_no_version(host, kitchen):
    host.deploy(kitchen("1"))
    told = []
    with pytest.raises(Exception, match="told to fail"), host.following("acme.kitchen", told.append):
        host.deploy(kitchen("2", fail="open Scada 0"))
    assert told == []


def test_a_listener_that_raises_is_logged_and_the_deploy_stands(host, kitchen, caplog):
    heard = []

    def broken(app):
        raise ValueError(f"no room for {app.name}")

    host.listen(broken)
    host.listen(lambda app: heard.append(app.current.name))
    version = host.deploy(kitchen("1"))
    assert host.app("acme.kitchen").current is version
    assert heard == ["1"]
    (record,) = [one for one in caplog.records if "which was told" in one.message]
    assert "test_a_listener_that_raises" in record.message
    assert "1 of acme.kitchen is current" in record.message
    assert "no room for acme.kitchen" in record.exc_text
    with host.app("acme.kitchen").borrow() as partition:
        assert partition.scoped("kitchen.Scada", Scope.QUERIES).find(1, Device="oven").Reading == 1000
