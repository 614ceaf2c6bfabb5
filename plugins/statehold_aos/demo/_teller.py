from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from statehold.sdk import StateholdError
from statehold_aos.demo._vehicle import Vehicle, names_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from statehold_aos.gateway import Happened

_WIDTH: Final = 79
_PATIENCE: Final = 40.0
_PHASES: Final = {
    "running": "green",
    "starting": "yellow",
    "stopping": "yellow",
    "restarting": "yellow",
    "held": "yellow",
    "failed": "red",
}
_SYNC: Final = {"accepted": "green", "pending": "yellow", "changed": "yellow", "requested": "yellow"}
_ARROWS: Final = {"new": "→", "requested": "→", "accepted": "←", "rejected": "←", "sent": "←"}
_WORDS: Final = {
    "new": "new state",
    "requested": "state request",
    "accepted": "accepted",
    "rejected": "rejected",
    "sent": "update state",
}


class Teller:
    """Tells what happens while it happens: with services that are always shown, where there is a terminal."""

    def __init__(self, vehicle: Vehicle, *, quiet: bool, color: bool | None) -> None:
        self._vehicle: Final = vehicle
        self._stack: Final = ExitStack()
        sink: IO[str] | None = self._stack.enter_context(open(os.devnull, "w")) if quiet else None  # noqa: PTH123, SIM115
        self._console: Final = Console(
            file=sink,
            width=None if quiet else min(Console().width, 100),
            highlight=False,
            no_color=color is False,
        )
        self._live: Live | None = None
        self._doing = self._last = ""
        self._spinner: Final = Spinner("dots")
        self.steps: Final[list[dict[str, Any]]] = []

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._shown, console=self._console, refresh_per_second=8, transient=True
            )
            self._stack.enter_context(self._live)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def step(self, title: str, text: str) -> None:
        """Begin a numbered step."""
        self.steps.append({"title": title, "notes": []})
        head = f"{len(self.steps)}. {title} "
        self._console.print()
        self._console.print(Text(f"{head}{'─' * (_WIDTH - len(head))}", style="bold cyan"))
        self.say(text)

    def say(self, text: str) -> None:
        """Write a paragraph."""
        self._console.print(textwrap.fill(" ".join(text.split()), _WIDTH), markup=False)

    def does(self, command: str) -> None:
        """Write what somebody does."""
        first, *rest = f"  $ {command}".split(" --args ")
        lines = [first, *(f"      --args {each}" for each in rest)]
        self._console.print(Text(" \\\n".join(lines), style="bold"), soft_wrap=True)

    def note(self, text: str) -> None:
        """Write what came of it."""
        self.hear()
        self.steps[-1]["notes"].append(text)
        filled = textwrap.fill(text, _WIDTH - 4, initial_indent="  ✓ ", subsequent_indent="    ")
        self._console.print(Text(filled, style="green"))

    def warn(self, text: str) -> None:
        """Write what is not as it could be."""
        self.steps[-1]["notes"].append(text)
        filled = textwrap.fill(text, _WIDTH - 4, initial_indent="  ~ ", subsequent_indent="    ")
        self._console.print(Text(filled, style="yellow"))

    def wait(self, what: str, seen: Callable[[], bool]) -> float:
        """Wait until something is so, which takes how many seconds; what the cloud hears is told meanwhile.

        Raises:
            StateholdError: it does not become so.

        """
        began = time.monotonic()
        self._doing = what
        try:
            while not seen():
                self.hear()
                if time.monotonic() - began > _PATIENCE:
                    raise StateholdError(
                        f"step {len(self.steps)} of the demo waited {_PATIENCE:g} s for: {what}",
                        hint=f"The services: {self._vehicle.look()}",
                    )
                time.sleep(0.02)
        finally:
            self._doing = ""
        return time.monotonic() - began

    def show(self) -> None:
        """Write how the services are, so that it stays."""
        self.hear()
        self._console.print(self._table())

    def expect(self, what: str, *, holds: bool) -> None:
        """Stop the story where something is not as it says."""
        if not holds:
            raise StateholdError(f"step {len(self.steps)} of the demo expected {what}")

    def hear(self) -> None:
        """Write what the cloud has heard and said since."""
        happened = self._vehicle.cloud.happened
        while happened:
            self._one(happened.popleft())

    def _one(self, one: Happened) -> None:
        if one.what not in _WORDS or one.claim is None:
            return
        size = f", {one.size} bytes" if one.size else ""
        why = f": {one.detail}" if one.detail else ""
        text = f"{one.claim.service} of {names_of(one.claim.users)}: {_WORDS[one.what]}{size}{why}"
        line = f"    vehicle {_ARROWS[one.what]} cloud   {text}"
        if line == self._last:  # asked again, because there is no answer yet
            return
        self._last = line
        self._console.print(Text(line, style="red" if one.what == "rejected" else "dim"))

    def _shown(self) -> RenderableType:
        parts: list[RenderableType] = [Text(), self._table()]
        if self._doing:
            self._spinner.update(text=Text(self._doing, style="yellow"))
            parts.append(self._spinner)
        return Group(*parts)

    def _table(self) -> Table:
        online = self._vehicle.cloud.is_there
        title = Text.assemble(
            "the vehicle, ", ("online", "green") if online else ("without a cloud", "yellow"), style="bold"
        )
        table = Table(
            title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
        )
        for name in ("service", "for", "is", "state here", "in the cloud", "storage"):
            table.add_column(name, no_wrap=name != "state here")
        for one in self._vehicle.look():
            table.add_row(
                f"{one.service} {one.version}",
                names_of(one.users) or "-",
                Text(one.status, style=_PHASES.get(one.status, "dim")),
                _flat(one.here) or "-",
                Text(one.sync or "-", style=_SYNC.get(one.sync, "dim")),
                _bar(one.used, one.limit),
            )
        return table


def _flat(state: str) -> str:
    return state.replace("\n", ", ").replace('"', "").replace(":", "").strip("{}")


def _bar(used: int, limit: int) -> Text:
    if not limit:
        return Text("-")
    share = min(used / limit, 1.0)
    full = round(share * 5)
    style = "red" if share > 0.9 else "green"
    return Text.assemble(
        ("█" * full, style), ("░" * (5 - full), "dim"), f" {used / 1e6:.1f}/{limit / 1e6:.1f} MB"
    )
