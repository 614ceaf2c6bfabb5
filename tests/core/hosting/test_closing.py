from __future__ import annotations

import threading

import pytest

from statehold.sdk import HostError


def test_a_closed_host_refuses_and_closes_once(open_host, kitchen):
    host = open_host()
    host.deploy(kitchen("1"))
    host.close()
    host.close()
    for call in (lambda: host.deploy(kitchen("2")), host.apps, lambda: host.rollback("acme.kitchen")):
        with pytest.raises(HostError, match="closed"):
            call()


def test_closing_does_not_wait_for_ever_for_a_borrower_and_frees_after_it(open_host, kitchen):
    host = open_host(pending_timeout=0.05)
    version = host.deploy(kitchen("1"))
    with host.app("acme.kitchen").borrow() as partition:
        host.close()
        assert partition.storage("kitchen.Scada").open
        assert host.warnings == ("acme.kitchen 1 still has borrowers and was not freed",)
    assert version.wait_freed(60).problems == ()


def test_closing_does_not_wait_for_ever_for_a_storage_that_does_not_open(open_host, kitchen):
    host = open_host(pending_timeout=0.05)
    opening, goes_on, raised = threading.Event(), threading.Event(), []

    def hang(step):
        if step.startswith("open"):
            opening.set()
            goes_on.wait(60)

    def deploy():
        try:
            host.deploy(kitchen("1"), progress=hang)
        except HostError as error:
            raised.append(error)

    deploying = threading.Thread(target=deploy)
    deploying.start()
    opening.wait(60)
    host.close()
    assert host.warnings == ("acme.kitchen was still being changed when the host was closed",)
    goes_on.set()
    deploying.join()
    assert "the host has been closed" in str(raised)
    for version in host._retirer.live:
        assert version.wait_freed(60).problems == ()
