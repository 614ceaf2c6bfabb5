from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self


class Step(str):
    """A line about how far a deploy has got; its first word is the stage.

    The stages are verify, wait, compile, load, compare, open, probe, index, resume, canary, make,
    keep, drain and free.

    Attributes:
        figures: what the line says, for programs.

    """

    __slots__ = ("figures",)

    figures: Mapping[str, Any]

    def __new__(cls, text: str, **figures: Any) -> Self:
        """Return a line with its figures."""
        made = super().__new__(cls, text)
        made.figures = figures
        return made

    @property
    def stage(self) -> str:
        """The stage."""
        return self.partition(" ")[0]


Progress = Callable[[Step], None]


def telling(progress: Progress) -> Callable[[str], None]:
    """Return what tells *progress* of plain lines, too."""
    return lambda line: progress(line if isinstance(line, Step) else Step(line))
