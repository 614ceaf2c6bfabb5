"""A version is rehearsed without a host: planned as for a deploy, opened in memory, gone without a trace."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from leaving import nothing_left

from statehold.hosting import Rehearsal
from statehold.sdk import CallContext, DeployError, Scope
from statehold.testing import FakeClock

BILLS = Path(__file__).parents[3] / "app_images" / "acme.bills"


@pytest.fixture
def rehearsal(tmp_path):
    with Rehearsal(BILLS, folder=tmp_path, secrets={"Scada_Password": "hunter2"}) as rehearsal:
        yield rehearsal


def opened(rehearsal):
    return rehearsal.open(clock=FakeClock(), cast=lambda _, provider: provider, registered_at=0)


def test_it_knows_what_a_deploy_would_know(rehearsal):
    assert (rehearsal.app, rehearsal.problems) == ("acme.bills", [])
    assert rehearsal.context.redact("my hunter2") != "my hunter2"
    assert "bills.PayBill" in rehearsal.context.uses
    assert rehearsal.rows("bills.TableLocks").storage == "bills.TableLocks"
    rehearsal.check_code()


def test_its_partition_runs_extensions_and_every_opening_begins_anew(rehearsal):
    for _ in range(2):
        with nothing_left(), opened(rehearsal) as partition:
            unit = partition.data.begin(partition.schemas)
            call = CallContext(scope=Scope.COMMANDS, workspace=1, extension="bills.SetPoint", unit=unit)
            runner = partition.extension("bills.SetPoint")
            assert runner.is_provided
            assert unit.next_offset(1) == 2
            assert runner.state(call).workspace == 1


def test_a_cast_opens_what_it_chooses_in_place_of_a_storage(rehearsal):
    asked = []

    def cast(storage, provider):
        asked.append((storage, provider.name))
        return provider

    with rehearsal.open(clock=FakeClock(), cast=cast, registered_at=0) as partition:
        assert [storage for storage, _ in asked] == list(partition.storages)
    assert ("bills.TableLocks", "Ephemeral") in asked


def test_without_code_nothing_of_it_is_loaded(tmp_path):
    before = set(sys.modules)
    with Rehearsal(BILLS, folder=tmp_path, load_code=False) as rehearsal:
        assert not [name for name in set(sys.modules) - before if ".extensions" in name and "bills" in name]
        assert "bills.PayBill" in rehearsal.context.uses


def test_code_that_does_not_fit_is_told_when_it_is_asked_for(tmp_path):
    package = tmp_path / "acme.shop" / "image" / "pkg" / "shop"
    package.mkdir(parents=True)
    (tmp_path / "acme.shop" / "descriptor.json").write_text("{}")
    (package / "shop.vsql").write_text(
        "APPLICATION shop(); WORKSPACE W (DESCRIPTOR D (); EXTENSION ENGINE PYTHON (COMMAND Sell()););"
    )
    with Rehearsal(tmp_path / "acme.shop", folder=tmp_path) as rehearsal:
        with pytest.raises(DeployError, match=r"COMMAND shop.Sell is declared"):
            rehearsal.check_code()
        with opened(rehearsal) as partition:
            assert not partition.extension("shop.Sell").is_provided
