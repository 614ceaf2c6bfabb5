from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from statehold_zos.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "node", patience=60) as opened:
        yield opened
        assert opened.check() == []
