from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pluggy
import pytest

from statehold.sdk import Hooks, Provider, Rank
from statehold_sys import ephemeral, hooks


def test_the_package_sys_comes_with_its_declarations_and_contracts() -> None:
    """A host that registers the module hears of both."""
    manager = pluggy.PluginManager("statehold")
    manager.add_hookspecs(Hooks)
    manager.register(hooks)
    manager.check_pending()
    (packages,) = manager.hook.statehold_packages()
    assert list(packages) == ["sys"]
    assert "STORAGE Record" in packages["sys"]["sys.vsql"]
    (contracts,) = manager.hook.statehold_contracts()
    assert len(contracts) == 17


PROVIDERS = {
    entry.name: entry
    for entry in entry_points(group="statehold.storages")
    if entry.value.startswith("statehold_sys.") and entry.name != "Ephemeral"
}


def test_every_storage_of_the_package_has_a_provider() -> None:
    """All seventeen, each as an entry point of its own."""
    assert PROVIDERS.keys() == hooks.CONTRACTS.keys()


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_a_provider_keeps_its_contract(name: str) -> None:
    """What declarations are checked against without loading code is what the code offers."""
    provider: Provider = PROVIDERS[name].load()
    assert provider.name == name
    assert provider.contract == hooks.CONTRACTS[name]


def test_what_stands_on_the_row_store_or_answers_comes_first_and_what_reaches_outside_last() -> None:
    """All others apply in between."""
    ranks = {name: entry.load().rank for name, entry in PROVIDERS.items()}
    assert {name for name in ranks if ranks[name] is Rank.ROWS} == {"Record", "Response", "Result", "View"}
    assert {name for name in ranks if ranks[name] is Rank.EFFECT} == {"Logger", "SendMail"}


@pytest.mark.parametrize(
    "module", ["http", "send_mail", "ephemeral", "federation_command", "federation_blob"]
)
def test_a_provider_loads_what_is_heavy_when_it_is_opened(module: str) -> None:
    """Checking declarations takes no HTTP client, no mail and no cache along."""
    code = f"import sys, statehold_sys.{module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"httpx", "smtplib", "cachebox", "statehold.events"} & set(loaded.stdout.split())


def test_ephemeral_fits_any_declaration() -> None:
    """It stands in no contract of `sys`: an application declares it."""
    assert ephemeral.provider.name not in hooks.CONTRACTS
    assert ephemeral.provider.key is ephemeral.provider.value is None
