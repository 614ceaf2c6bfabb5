from __future__ import annotations

import pytest

from statehold.sdk import StorageError
from statehold.testing import open_storage
from statehold_sys.app_secret import provider

SECRETS = {"Scada_Password": "hunter2"}


def test_a_declared_secret_is_handed_out() -> None:
    """The value is in `Content`; a name that the package does not declare is not found."""
    with open_storage(provider, secrets=SECRETS) as opened:
        assert opened.facade.get(opened.key(1, Secret="Scada_Password")).Content == "hunter2"
        assert opened.facade.get(opened.key(1, Secret="scada_password")) is None
        assert opened.facade.get(opened.key(1, Secret="PATH")) is None


@pytest.mark.parametrize("name", ["", " ", "\t\n"])
def test_a_blank_name_is_an_error(name: str) -> None:
    """A name that was forgotten is told, not answered with None."""
    with open_storage(provider, secrets=SECRETS) as opened, pytest.raises(StorageError, match="blank"):
        opened.facade.get(opened.key(1, Secret=name))


def test_the_storage_does_not_show_its_secrets() -> None:
    """Nor does its repr, which debuggers and logs use."""
    with open_storage(provider, secrets=SECRETS) as opened:
        assert "hunter2" not in repr(opened.storage)
        assert "hunter2" not in repr(opened.facade.get(opened.key(1, Secret="Scada_Password")))
