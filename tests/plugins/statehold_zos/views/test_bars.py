from __future__ import annotations

import pytest

from statehold_zos.views import bar


@pytest.mark.parametrize(
    ("size", "reserved", "used", "shown"),
    [
        (100, 0, 0, "··········"),
        (100, 50, 20, "██▒▒▒·····"),
        (100, 100, 100, "██████████"),
        (100, 1, 0, "▒·········"),
        (100, 1, 1, "█·········"),
        (1000, 999, 0, "▒▒▒▒▒▒▒▒▒·"),
        (100, 250, 30, "███▒▒▒▒▒▒▒"),
        (100, 0, 30, "███·······"),
        (0, 0, 0, "··········"),
    ],
)
def test_a_bar_shows_what_is_used_reserved_and_free(size: int, reserved: int, used: int, shown: str) -> None:
    assert bar(size, reserved, used, width=10).plain == shown


def test_what_is_nearly_full_is_red() -> None:
    colors = [str(bar(100, 100, used).spans[0].style) for used in (10, 80, 95)]
    assert colors == ["green", "yellow", "red"]
