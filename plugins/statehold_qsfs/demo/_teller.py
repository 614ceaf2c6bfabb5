from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import IO, Any, Final, Self, TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from statehold.sdk import StateholdError
from statehold_qsfs.demo._picture import Picture

T = TypeVar("T")
_WIDTH: Final = 79
_PATIENCE: Final = 120.0


class Teller:
    """Tells what happens while it happens: with the shards always shown, where there is a terminal."""

    def __init__(self, picture: Picture, *, quiet: bool, color: bool | None) -> None:
        self._picture: Final = picture
        self._stack: Final = ExitStack()
        sink: IO[str] | None = self._stack.enter_context(open(os.devnull, "w")) if quiet else None  # noqa: PTH123, SIM115
        self._console: Final = Console(
            file=sink,
            width=None if quiet else min(Console().width, 100),
            highlight=False,
            no_color=color is False,
        )
        self._doing = ""
        self._began = 0.0
        self._spinner: Final = Spinner("dots")
        self.steps: Final[list[dict[str, Any]]] = []

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            live = Live(
                get_renderable=self._shown, console=self._console, refresh_per_second=8, transient=True
            )
            self._stack.enter_context(live)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def step(self, title: str, text: str) -> None:
        """Begin a numbered step."""
        self._began = time.monotonic()
        self.steps.append({"title": title, "notes": [], "seconds": 0.0})
        head = f"{len(self.steps)}. {title} "
        self._console.print()
        self._console.print(Text(f"{head}{'─' * (_WIDTH - len(head))}", style="bold cyan"))
        self._console.print(textwrap.fill(" ".join(text.split()), _WIDTH), markup=False)

    def note(self, text: str) -> None:
        """Write what came of it."""
        self.steps[-1]["notes"].append(text)
        self.steps[-1]["seconds"] = round(time.monotonic() - self._began, 2)
        filled = textwrap.fill(text, _WIDTH - 4, initial_indent="  ✓ ", subsequent_indent="    ")
        self._console.print(Text(filled, style="green"))

    def show(self) -> None:
        """Write where the shards are, so that it stays."""
        self._picture.look()
        self._console.print(self._picture.table())

    def each(self, what: str, items: Iterable[T]) -> Iterator[T]:
        """Yield *items*, and look at the shards after each."""
        self._doing = what
        try:
            for item in items:
                yield item
                self._picture.look()
        finally:
            self._doing = ""

    def wait(self, what: str, seen: Callable[[], bool]) -> float:
        """Wait until something is so, return the seconds that took; StateholdError if it takes long."""
        began = time.monotonic()
        self._doing = what
        try:
            while not seen():
                if time.monotonic() - began > _PATIENCE:
                    raise StateholdError(
                        f"step {len(self.steps)} of the demo waited {_PATIENCE:g} s for: {what}"
                    )
                time.sleep(0.05)
                self._picture.look()
        finally:
            self._doing = ""
        return time.monotonic() - began

    def expect(self, what: str, *, holds: bool) -> None:
        """Stop the story where something is not as it says."""
        if not holds:
            raise StateholdError(f"step {len(self.steps)} of the demo expected {what}")

    def _shown(self) -> RenderableType:
        parts: list[RenderableType] = [Text(), self._picture.table()]
        if self._doing:
            self._spinner.update(text=Text(self._doing, style="yellow"))
            parts.append(self._spinner)
        return Group(*parts)
