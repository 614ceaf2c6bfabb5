from __future__ import annotations

import io
import os
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar

import attrs

from statehold.sdk import StateholdError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

T = TypeVar("T")
_WIDTH: Final = 79
#: Where no terminal says how wide it is, tables are not cut off.
_TABLES: Final = 120
_PATIENCE: Final = 120.0


@attrs.frozen(kw_only=True)
class Told:
    """What was told: how long it took, and each step with what came of it."""

    seconds: float
    steps: Sequence[Mapping[str, Any]]


class Picture(Protocol):
    """What a story is about, as people see it."""

    def look(self) -> Iterable[Text]:
        """Look again, and return what is to be told of what has happened since."""
        ...

    def table(self) -> RenderableType:
        """Return how it is; in a terminal, this is asked several times a second, on another thread."""
        ...


class Teller:
    """Tells what happens while it happens: with a picture of it always shown, where there is a terminal."""

    def __init__(self, picture: Picture, *, quiet: bool, color: bool | None) -> None:
        from rich.console import Console  # noqa: PLC0415 - takes a tenth of a second
        from rich.spinner import Spinner  # noqa: PLC0415 - as above

        self._picture: Final = picture
        self._stack: Final = ExitStack()
        sink: IO[str] | None = self._stack.enter_context(open(os.devnull, "w")) if quiet else None  # noqa: PTH123, SIM115
        self._console: Final = Console(
            file=sink,
            width=None if quiet or Console().is_terminal else _TABLES,
            emoji=False,
            markup=False,
            highlight=False,
            no_color=color is False,
        )
        self._doing = ""
        self._began = 0.0
        self._spinner: Final = Spinner("dots")
        self.steps: Final[list[dict[str, Any]]] = []

    def __enter__(self) -> Self:
        from rich.live import Live  # noqa: PLC0415 - as above

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
        self._console.print(f"{head}{'─' * (_WIDTH - len(head))}", style="bold cyan")
        self._console.print(textwrap.fill(" ".join(text.split()), _WIDTH))

    def does(self, command: str) -> None:
        """Write what somebody does."""
        lines = f"  $ {command}".replace(" --args ", " \\\n      --args ")
        self._console.print(lines, style="bold", soft_wrap=True)

    def note(self, text: str, *, sign: str = "✓", style: str = "green") -> None:
        """Write what came of it."""
        self.steps[-1]["notes"].append(text)
        self.steps[-1]["seconds"] = round(time.monotonic() - self._began, 2)
        filled = textwrap.fill(
            text, _WIDTH - 4, initial_indent=f"  {sign} ", subsequent_indent="    ", break_on_hyphens=False
        )
        self._console.print(filled, style=style)

    def refused(self, what: str, act: Callable[[], object]) -> None:
        """Do what must be refused, and write with which words it was."""
        try:
            act()
        except StateholdError as error:
            self.note(f"{what} is refused: {error.message}", sign="✗", style="yellow")
        else:
            self.expect(f"{what} to be refused", holds=False)

    def show(self, table: RenderableType | None = None) -> None:
        """Write a table so that it stays: the picture, unless another one is given."""
        self.look()
        self._console.print(_lines("", table or self._picture.table(), ""))

    def look(self) -> None:
        """Look at the picture again, and write what has happened since."""
        for line in self._picture.look():
            self._console.print(line)

    def each(self, what: str, items: Iterable[T]) -> Iterator[T]:
        """Yield *items* until something is so, and look at the picture after each."""
        self._doing = what
        try:
            for item in items:
                yield item
                self.look()
        finally:
            self._doing = ""

    def wait(self, what: str, seen: Callable[[], bool]) -> float:
        """Wait until something is so, return the seconds that took; StateholdError if it takes long."""
        began = time.monotonic()
        self._doing = what
        try:
            while not seen():
                self.look()
                if time.monotonic() - began > _PATIENCE:
                    raise StateholdError(
                        f"step {len(self.steps)} of the demo waited {_PATIENCE:g} s until {what}",
                        hint=f"This is how it was:\n{_text(self._picture.table())}",
                    )
                time.sleep(0.05)
        finally:
            self._doing = ""
        self.look()
        return time.monotonic() - began

    def expect(self, what: str, *, holds: bool) -> None:
        """Stop the story where something is not as it says."""
        if not holds:
            raise StateholdError(f"step {len(self.steps)} of the demo expected {what}")

    def _shown(self) -> RenderableType:
        from rich.text import Text  # noqa: PLC0415 - as above

        if not self._doing:
            return _lines("", self._picture.table())
        self._spinner.update(text=Text(f"until {self._doing}", style="yellow"))
        return _lines("", self._picture.table(), "", self._spinner)


def _lines(*parts: RenderableType) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415 - as above

    return Group(*parts)


def _text(table: RenderableType) -> str:
    from rich.console import Console  # noqa: PLC0415 - as above

    written = io.StringIO()
    Console(file=written, width=_TABLES).print(table)
    return written.getvalue()
