from __future__ import annotations

import pluggy
import pytest

from statehold.sdk import Hooks, Provider
from statehold_sys import app_secret, ephemeral, hooks, http, logger, send_mail


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


@pytest.mark.parametrize(
    "provider",
    [app_secret.provider, http.provider, logger.provider, send_mail.provider],
    ids=lambda p: p.name,
)
def test_a_provider_keeps_its_contract(provider: Provider) -> None:
    """What declarations are checked against without loading code is what the code offers."""
    assert provider.contract == hooks.CONTRACTS[provider.name]


def test_ephemeral_fits_any_declaration() -> None:
    """It stands in no contract of `sys`: an application declares it."""
    assert ephemeral.provider.name not in hooks.CONTRACTS
    assert ephemeral.provider.key is ephemeral.provider.value is None
