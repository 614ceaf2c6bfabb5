from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from statehold.cli._output import Output
from statehold.cli._text import printable
from statehold.cli._values import to_json

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

#: Takes a stage, a line about it, and its figures.
Tell = Callable[[str, str, Mapping[str, Any]], None]

#: Seconds from one line of a stage to the next, where nobody sees it move.
_PAUSE = 5.0


@contextmanager
def steps(out: Output, *, lines: bool) -> Iterator[Tell]:
    """Show how far the block gets: live on a terminal, line by line elsewhere.

    Where a machine reads, each step is a document of one line, or with no *lines* none is.
    """
    if out.json:
        yield _write if lines else lambda *_: None
    elif sys.stdout.isatty():
        with _LiveSteps() as live:
            yield live
    else:
        yield _Lines()


def write_line(document: Mapping[str, Any]) -> None:
    """Write a document in one line."""
    click.echo(json.dumps(to_json(document), ensure_ascii=False))


def _write(stage: str, text: str, figures: Mapping[str, Any]) -> None:
    write_line({"step": stage, "text": text, **figures})


class _Lines:
    """Writes a line for each step; of a stage that goes on for long, one now and then."""

    def __init__(self) -> None:
        self._stage = ""
        self._at = 0.0

    def __call__(self, stage: str, text: str, figures: Mapping[str, Any]) -> None:  # noqa: ARG002 - as `Tell`
        now = time.monotonic()
        if stage != self._stage or stage not in ("canary", "drain") or now - self._at >= _PAUSE:
            self._stage, self._at = stage, now
            click.echo(printable(text))


class _LiveSteps:
    """Shows a line for each stage, and turns beside the last one until the block ends."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - takes a tenth of a second
        from rich.live import Live  # noqa: PLC0415 - as above
        from rich.spinner import Spinner  # noqa: PLC0415 - as above

        self._texts: dict[str, str] = {}
        self._spinner = Spinner("dots")
        self._live: Live = Live(
            console=Console(highlight=False), get_renderable=self._table, refresh_per_second=10
        )
        self._mark: Any = self._spinner

    def __call__(self, stage: str, text: str, figures: Mapping[str, Any]) -> None:  # noqa: ARG002 - as `Tell`
        if not self._texts:
            # Not before: a spinner may turn until then.
            self._live.start()
        # A version that is freed has a line of its own.
        self._texts[text if stage in ("free", "keep") else stage] = text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from rich.text import Text  # noqa: PLC0415 - as above

        self._mark = Text("✓", "green") if kind is None else Text("✗", "red")
        self._live.stop()

    def _table(self) -> Table:
        from rich.table import Table  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above

        table = Table.grid(padding=(0, 1))
        last = len(self._texts) - 1
        for place, text in enumerate(list(self._texts.values())):
            table.add_row(self._mark if place == last else Text("✓", "green"), Text(printable(text)))
        return table
