from __future__ import annotations

from typing import Final

from rich.text import Text

_USED, _RESERVED, _FREE = "█", "▒", "·"
_WIDTH: Final = 16
#: From which part of the whole on what is used is yellow, and red.
_MUCH, _MOST = 0.75, 0.9

LEGEND: Final = f"{_USED} in use  {_RESERVED} reserved  {_FREE} free"


def bar(size: int, reserved: int, used: int, *, width: int = _WIDTH) -> Text:
    """Return how full something is: what is in use, what else is reserved, and what is free.

    What is not nothing is seen, and what is not full is not shown so. More than there is, as where more is
    reserved than there is, fills the bar.
    """
    held = _cells(used, size, width)
    taken = max(held, _cells(max(reserved, used), size, width))
    part = used / size if size else 0.0
    color = "red" if part >= _MOST else "yellow" if part >= _MUCH else "green"
    return Text.assemble(
        (_USED * held, color), (_RESERVED * (taken - held), "cyan"), (_FREE * (width - taken), "bright_black")
    )


def _cells(amount: int, size: int, width: int) -> int:
    if amount <= 0 or size <= 0:
        return 0
    if amount >= size:
        return width
    return min(max(round(amount / size * width), 1), width - 1)
