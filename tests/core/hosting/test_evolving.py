"""A deploy whose declarations break what there is by the current version is refused, unless accepted."""

from __future__ import annotations

import pytest

from statehold.sdk import DeployError

MORE = "TABLE Room INHERITS sys.CDoc (Name text);"


@pytest.fixture
def broken(shop):
    """Version 2 of the shop: a table has lost a field that version 1 has."""
    root = shop("2")
    path = root / "image/pkg/example.com/shop/shop.vsql"
    text = path.read_text()
    path.write_text(text.replace("Total int64, UNIQUE(Number)", "UNIQUE(Number)"))
    code = root / "image/pkg/example.com/shop/extensions/shop.py"
    code.write_text(code.read_text().replace("Number=call.arg.Number, Total=1", "Number=call.arg.Number"))
    return root


def current(host):
    return host.app("acme.shop").current.name


def test_a_breaking_deploy_is_refused_and_what_runs_goes_on(host, shop, broken):
    host.deploy(shop("1"))
    for activate in (True, False):
        with pytest.raises(DeployError, match="accept_breaking") as caught:
            host.deploy(broken, activate=activate)
        assert caught.value.problems == ("table shop.Bill: field Total is gone (breaks data)",)
    assert [version.version for version in host.apps()[0].versions] == ["1"]
    assert current(host) == "1"


def test_a_breaking_deploy_that_is_accepted_becomes_current_and_can_be_rolled_back(host, shop, broken):
    host.deploy(shop("1"))
    host.deploy(broken, accept_breaking=True)
    assert current(host) == "2"
    host.rollback("acme.shop")
    assert current(host) == "1"


def test_a_compatible_deploy_needs_no_acceptance(host, shop):
    host.deploy(shop("1"))
    host.deploy(shop("2", more=MORE))
    assert current(host) == "2"


def test_the_first_version_of_an_app_breaks_nothing(host, broken):
    assert host.deploy(broken).name == "2"


def test_a_current_version_that_could_not_be_brought_back_is_compared_by_its_image(
    open_host, shop, broken, monkeypatch
):
    from statehold.hosting._deploying import Deployer

    with open_host() as host:
        host.deploy(shop("1"))

    def fail(*_args, **_kwargs):
        raise DeployError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Deployer, "open", fail)
        host = open_host()
    assert not host.running
    with pytest.raises(DeployError, match="field Total is gone"):
        host.deploy(broken)
    host.deploy(broken, accept_breaking=True)
    assert current(host) == "2"


def test_a_descriptor_that_widens_what_code_may_do_is_refused_unless_that_is_accepted(host, kitchen):
    narrow = {f"kitchen.{name}": {"isolation": "sidecar"} for name in ("Scada", "Historian")}
    host.deploy(kitchen("1", Storages=narrow))
    wide = kitchen("2")
    with pytest.raises(DeployError, match="accept_breaking") as caught:
        host.deploy(wide)
    assert caught.value.problems == tuple(
        f"descriptor.json: Storages.kitchen.{name}.isolation: is inprocess, and was sidecar (breaks operator)"
        for name in ("Scada", "Historian")
    )
    assert host.deploy(wide, accept_breaking=True).name == "2"
    assert host.deploy(kitchen("3", Storages=narrow)).name == "3"


def test_a_version_beside_is_compared_with_what_is_current_when_it_is_activated(host, shop, broken):
    host.deploy(broken, activate=False)
    host.deploy(shop("1"))
    with pytest.raises(DeployError, match="field Total is gone") as caught:
        host.activate("acme.shop", "2")
    assert "--accept-breaking" in caught.value.hint
    with pytest.raises(DeployError, match="field Total is gone"):
        host.deploy(broken)
    assert current(host) == "1"
    assert host.activate("acme.shop", "2", accept_breaking=True).name == "2"
    host.rollback("acme.shop")
    assert current(host) == "1"


def test_a_version_beside_that_was_closed_meanwhile_is_compared_too(open_host, shop, broken):
    with open_host() as host:
        host.deploy(broken, activate=False)
        host.deploy(shop("1"))
    host = open_host()
    with pytest.raises(DeployError, match="field Total is gone"):
        host.activate("acme.shop", "2")
    assert host.activate("acme.shop", "2", accept_breaking=True).name == "2"


def test_what_its_deploy_has_accepted_of_a_version_beside_needs_no_second_acceptance(host, shop, broken):
    host.deploy(shop("1"))
    host.deploy(broken, activate=False, accept_breaking=True)
    assert host.activate("acme.shop", "2").name == "2"
