from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from statehold.hosting import Host

SAMPLES = Path(__file__).parents[2] / "app_images"


@pytest.fixture
def bills(tmp_path: Path) -> Path:
    """Return a copy of acme.bills, at version 1."""
    ignore = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(SAMPLES / "acme.bills", tmp_path / "acme.bills", ignore=ignore))


@pytest.fixture
def hello() -> Path:
    """Return acme.hello."""
    return SAMPLES / "acme.hello"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Run a host that knows the kitchen's password."""
    with Host(tmp_path / "data", environ={"STATEHOLD_SECRET_SCADA_PASSWORD": "let me in"}) as host:
        yield host
