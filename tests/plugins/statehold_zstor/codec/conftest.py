from __future__ import annotations

import pytest

from statehold_zstor.codec import Edition, MasterKey


@pytest.fixture(scope="session")
def key() -> MasterKey:
    """Return a master key."""
    return MasterKey(bytes(range(32)))


@pytest.fixture
def edition() -> Edition:
    """Return an edition of an object."""
    return Edition.new(b"an object", generation=7)
