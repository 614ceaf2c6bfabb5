from __future__ import annotations

import pytest

from statehold.sdk import HostError, Operation, Scope, ScopeError
from statehold_sys.contracts import CONTRACTS


def test_an_extension_may_do_what_it_declares_and_no_more(host, kitchen):
    host.deploy(kitchen("1"))
    with host.app("acme.kitchen").borrow() as partition:
        show, heat = partition.facades("kitchen.Show"), partition.facades("kitchen.Heat")
        assert set(show) == {"kitchen.Scada", "kitchen.Historian", "sys.Response", "sys.Logger"}
        assert show["kitchen.Scada"].find(1, Device="oven").Reading == 1000
        key = heat["kitchen.Scada"].key(1, Device="oven")
        assert heat["kitchen.Scada"].insert(key, {"Reading": 5}).is_new
        with pytest.raises(
            ScopeError, match=r"QUERY kitchen.Show may not INSERT kitchen.Scada in QUERIES"
        ) as raised:
            show["kitchen.Scada"].insert(key, {"Reading": 5})
        assert "Add QUERIES to the scopes of INSERT" in raised.value.hint
        with pytest.raises(ScopeError, match="does not name it in STATE"):
            heat["kitchen.Scada"].get(key)
        with pytest.raises(ScopeError, match="without READ"):
            show["kitchen.Scada"].read(key)
        with pytest.raises(ScopeError, match=r"may not GET kitchen.Historian in COMMANDS"):
            heat["kitchen.Historian"].get(key)
        with pytest.raises(HostError, match=r"Did you mean 'kitchen.Scada'"):
            heat["kitchen.Scad"]
        with pytest.raises(HostError, match=r"Did you mean 'kitchen.Heat'"):
            partition.facades("kitchen.Haet")


def test_nobody_is_told_to_change_the_declarations_of_sys(host, kitchen):
    host.deploy(kitchen("1"))
    with host.app("acme.kitchen").borrow() as partition:
        http = partition.scoped("sys.Http", Scope.COMMANDS)
        with pytest.raises(ScopeError, match="with READ in QUERIES, PROJECTORS, JOBS") as raised:
            http.read(http.key(1, Url="http://127.0.0.1/"))
        assert raised.value.hint == "Use it in a QUERY, PROJECTOR or JOB"
        with pytest.raises(ScopeError, match="without INSERT") as raised:
            http.insert(http.key(1, Url="http://127.0.0.1/"), {})
        assert raised.value.hint == "Use an operation that it has"


def test_an_operator_narrows_what_facades_permit_and_the_matrix_shows_it(host, kitchen):
    host.deploy(kitchen("1", Storages={"kitchen.Scada": {"scopes": {"INSERT": ["JOBS"]}}}))
    with host.app("acme.kitchen").borrow() as partition:
        heat = partition.facades("kitchen.Heat")["kitchen.Scada"]
        with pytest.raises(ScopeError, match="narrowed by the operator"):
            heat.insert(heat.key(1, Device="oven"), {"Reading": 5})
    (scada,) = [found for found in host.matrix("acme.kitchen").storages if found.storage == "kitchen.Scada"]
    inserts = {scope.value: scada.permission("INSERT", scope).value for scope in Scope}
    assert inserts == {
        "COMMANDS": "narrowed by operator",
        "QUERIES": "denied",
        "PROJECTORS": "denied",
        "JOBS": "declared",
    }


def test_a_storage_that_is_not_provided_warns_at_deploy_and_refuses_when_used(host, kitchen, monkeypatch):
    contracts = {"RequestSubject": CONTRACTS["RequestSubject"]}
    monkeypatch.setattr("statehold.loading.Catalog.announced", lambda _: contracts)
    version = host.deploy(kitchen("1", extensions="QUERY Look STATE(sys.RequestSubject) RETURNS void;"))
    (warning,) = version.warnings
    assert "QUERY kitchen.Look uses sys.RequestSubject, which this host does not provide" in warning
    with host.app("acme.kitchen").borrow() as partition:
        facade = partition.facades("kitchen.Look")["sys.RequestSubject"]
        for use in (facade.key, facade.get, facade.find):
            with pytest.raises(Exception, match=r"sys.RequestSubject is not provided by this host"):
                use(1)
        with pytest.raises(Exception, match=r"sys.RequestSubject is not provided by this host"):
            partition.storage("sys.RequestSubject")


def test_calls_are_counted_by_storage_and_user(host, kitchen):
    host.deploy(kitchen("1"))
    with host.app("acme.kitchen").borrow() as partition:
        show = partition.facades("kitchen.Show")["kitchen.Scada"]
        for _ in range(3):
            show.get(show.key(1, Device="oven"))
        assert partition.counts["kitchen.Scada", "kitchen.Show"].calls(Operation.GET) == 3


def test_without_counting_a_permitted_operation_is_the_storage_s_own_method(open_host, kitchen):
    host = open_host(count_calls=False)
    host.deploy(kitchen("1"))
    with host.app("acme.kitchen").borrow() as partition:
        show = partition.facades("kitchen.Show")["kitchen.Scada"]
        assert show.get == partition.storage("kitchen.Scada").get
        with pytest.raises(ScopeError):
            show.insert(show.key(1, Device="oven"), {"Reading": 5})
