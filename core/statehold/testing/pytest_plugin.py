"""What pytest loads in every run: it imports nothing heavy, and the kit only when it is used."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("statehold.testing")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--statehold-report`."""
    parser.getgroup("statehold").addoption(
        "--statehold-report",
        action="store_true",
        help="print the conformance level that each storage reached",
    )
