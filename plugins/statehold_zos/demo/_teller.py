from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import IO, Any, Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from statehold.sdk import StateholdError
from statehold_zos.node import Node
from statehold_zos.views import LEGEND, pools_table

_WIDTH: Final = 79
#: Where no terminal says how wide it is, tables are not cut off.
_TABLES: Final = 120
_PATIENCE: Final = 120.0


class Teller:
    """Tells what happens while it happens: with the pools always shown, where there is a terminal."""

    def __init__(self, node: Node, *, quiet: bool, color: bool | None) -> None:
        self._node: Final = node
        self._stack: Final = ExitStack()
        sink: IO[str] | None = self._stack.enter_context(open(os.devnull, "w")) if quiet else None  # noqa: PTH123, SIM115
        self._console: Final = Console(
            file=sink,
            width=None if quiet or Console().is_terminal else _TABLES,
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

    def note(self, text: str, *, sign: str = "✓", style: str = "green") -> None:
        """Write what came of it."""
        self.steps[-1]["notes"].append(text)
        self.steps[-1]["seconds"] = round(time.monotonic() - self._began, 2)
        filled = textwrap.fill(
            text, _WIDTH - 4, initial_indent=f"  {sign} ", subsequent_indent="    ", break_on_hyphens=False
        )
        self._console.print(Text(filled, style=style))

    def refused(self, what: str, act: Callable[[], object]) -> None:
        """Do what must be refused, and write with which words it was."""
        try:
            act()
        except StateholdError as error:
            self.note(f"{what} is refused: {error.message}", sign="✗", style="yellow")
        else:
            self.expect(f"{what} to be refused", holds=False)

    def show(self, table: RenderableType | None = None) -> None:
        """Write a table so that it stays: how full the pools are, unless another one is given."""
        self._console.print()
        self._console.print(table or pools_table(self._node.disks.pools()))
        if table is None:
            self._console.print(Text(LEGEND, style="bright_black"))
        self._console.print()

    def wait(self, what: str, seen: Callable[[], bool]) -> float:
        """Wait until something is so, return the seconds that took; StateholdError if it takes long."""
        began = time.monotonic()
        self._doing = what
        try:
            while not seen():
                if time.monotonic() - began > _PATIENCE:
                    raise StateholdError(
                        f"step {len(self.steps)} of the demo waited {_PATIENCE:g} s until {what}"
                    )
                time.sleep(0.05)
        finally:
            self._doing = ""
        return time.monotonic() - began

    def expect(self, what: str, *, holds: bool) -> None:
        """Stop the story where something is not as it says."""
        if not holds:
            raise StateholdError(f"step {len(self.steps)} of the demo expected {what}")

    def _shown(self) -> RenderableType:
        parts: list[RenderableType] = [Text(), pools_table(self._node.disks.pools())]
        if self._doing:
            self._spinner.update(text=Text(f"until {self._doing}", style="yellow"))
            parts.append(self._spinner)
        return Group(*parts)
