from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from statehold.loading import Entry
from statehold.loading.sidecar import SidecarPlugin, Sidecars


def entry(name: str, value: str) -> Entry:
    return Entry(name=name, value=value, distribution="statehold", version="0", location="/")


@pytest.fixture(scope="session")
def sidecars() -> Iterator[Sidecars]:
    with Sidecars() as made:
        yield made


@pytest.fixture(scope="session")
def installed(sidecars: Sidecars) -> Iterator[Callable[..., SidecarPlugin]]:
    """Loads installed providers into a sidecar, each plugin once."""
    loaded: dict[tuple[str, str], SidecarPlugin] = {}

    def load(name: str, value: str) -> SidecarPlugin:
        if (name, value) not in loaded:
            loaded[name, value] = sidecars.load_installed([entry(name, value)], owner="test.app 1")
        return loaded[name, value]

    yield load
    for plugin in loaded.values():
        plugin.free()
