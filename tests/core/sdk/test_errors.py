from __future__ import annotations

import pytest

from statehold import sdk
from statehold.sdk import DeployError, DescriptorError, ImageError, StateholdError, StorageError


def test_the_hint_stands_behind_the_message() -> None:
    """Both can also be had by themselves."""
    error = StorageError("it failed", hint="Try again")
    assert str(error) == "it failed. Try again"
    assert (error.message, error.hint) == ("it failed", "Try again")
    assert str(StorageError("it failed")) == "it failed"


@pytest.mark.parametrize("kind", [DeployError, DescriptorError, ImageError])
def test_all_that_was_found_is_told(kind: type[DeployError]) -> None:
    """One line for each, kept as they are."""
    assert kind("it failed", problems=["a", "b"]).problems == ("a", "b")
    assert kind("it failed").problems == ()


def test_every_error_has_one_root() -> None:
    """Who catches it catches all that Statehold raises on purpose."""
    errors = [getattr(sdk, name) for name in sdk.__all__ if name.endswith("Error")]
    assert len(errors) > 5
    assert all(issubclass(error, StateholdError) for error in errors)
