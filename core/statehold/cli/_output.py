from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import click

from statehold.cli._findings import diagnostic_document, show_diagnostics
from statehold.cli._session import session
from statehold.cli._text import printable, wrapped
from statehold.cli._values import to_json

if TYPE_CHECKING:
    from rich.table import Table

_WIDEST, _NARROWEST = 10_000, 12


@attrs.frozen(kw_only=True)
class Output:
    """Where a command writes: text for a person, or with `json` one JSON document for a machine.

    With `debug`, errors keep their tracebacks.
    """

    json: bool = False
    debug: bool = False

    def line(self, text: str = "") -> None:
        """Write a line for a person."""
        if not self.json:
            click.echo(text)

    def done(self, text: str) -> None:
        """Write that something was done."""
        self.line(f"{click.style('✓', fg='green')} {text}")

    def warn(self, text: str) -> None:
        """Write a warning, beside the result."""
        if not self.json:
            rest = wrapped(f"warning: {printable(text)}", self.width, indent=" " * 9).removeprefix("warning:")
            click.echo(f"{click.style('warning:', fg='yellow', bold=True)}{rest}", err=True)

    @property
    def width(self) -> int | None:
        """How wide texts may be; None where no terminal shows them."""
        return session().width or terminal_width()

    def document(self, document: Mapping[str, Any], *, ok: bool = True) -> None:
        """Write the one document of a command; nothing where a person reads."""
        if self.json:
            click.echo(json.dumps({"ok": ok, **to_json(document)}, indent=2, ensure_ascii=False))

    def table(self, table: Table) -> None:
        """Write a table for a person.

        Nothing of it is cut off: where it is too wide for the terminal, its first column is folded.
        """
        if self.json:
            return
        from rich.console import Console  # noqa: PLC0415
        from rich.measure import Measurement  # noqa: PLC0415

        context = click.get_current_context(silent=True)
        color = context.color if context else None
        console = Console(highlight=False, force_terminal=color, no_color=color is False)
        first, *others = table.columns
        for column in others:
            column.no_wrap = True
        first.overflow = "fold"
        options = console.options.update(max_width=_WIDEST)
        natural = Measurement.get(console, options, table).maximum
        room = natural if not sys.stdout.isatty() else session().width or console.width
        widest = max(Measurement.get(console, options, cell).maximum for cell in first.cells)
        console.width = max(room, natural - max(0, widest - _NARROWEST))
        with console.capture() as captured:
            console.print(table)
        for line in captured.get().splitlines():
            click.echo(line.rstrip())

    @contextmanager
    def progress(self, text: str) -> Iterator[Callable[[str], None]]:
        """Turn a spinner on stderr where the block runs longer than a moment, on a terminal only.

        What the block is given takes a line of text, which says how far it has got.
        """
        if self.json or not sys.stderr.isatty():
            yield lambda _: None
            return
        from statehold.cli._spinner import Spinner  # noqa: PLC0415

        with Spinner(text) as spinner:
            yield spinner.tell


def terminal_width() -> int | None:
    """Return how wide texts on stderr may be; None where no terminal shows them."""
    if not sys.stderr.isatty():
        return None
    from shutil import get_terminal_size  # noqa: PLC0415  brings the compression libraries

    return get_terminal_size().columns


def error_document(error: BaseException) -> dict[str, Any]:
    """Return an error as machines read it: `type`, `message`, `hint`, and what the error knows more."""
    public = {
        name: value
        for name, value in vars(error).items()
        if not name.startswith("_") and name not in ("message", "hint", "diagnostics")
    }
    document = {
        "type": type(error).__name__,
        "message": getattr(error, "message", None) or str(error) or type(error).__name__,
        "hint": getattr(error, "hint", ""),
        **public,
    }
    if hasattr(error, "diagnostics"):
        document["diagnostics"] = [diagnostic_document(d) for d in error.diagnostics]
    return document


def show_error(
    out: Output, error: BaseException, *, color: bool | None = None, width: int | None = None
) -> None:
    """Write what went wrong and how to mend it; to stdout as JSON, or to stderr for a person."""
    from statehold.sdk import StateholdError  # noqa: PLC0415

    expected = isinstance(error, StateholdError | OSError)
    document = error_document(error)
    if isinstance(error, OSError) and error.strerror:
        document["message"] = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if not expected:
        document["message"] = f"unexpected {type(error).__name__}: {error}"
        document["hint"] = "this is a defect of Statehold or of a plugin: --debug shows where"
    if out.json:
        out.document({"error": document}, ok=False)
        return
    show_diagnostics(getattr(error, "diagnostics", ()), {}, err=True, color=color, columns=width)
    parts = [("error:", "red", document["message"]), (" hint:", "cyan", document["hint"])]
    parts += [(" note:", "cyan", note) for note in getattr(error, "__notes__", ())]
    for word, shade, text in parts:
        if text:
            head = click.style(word, fg=shade, bold=word == "error:")
            rest = wrapped(f"{word} {printable(text)}", width, indent=" " * 7).removeprefix(word)
            click.echo(head + rest, err=True, color=color)
