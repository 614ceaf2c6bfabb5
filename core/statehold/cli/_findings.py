"""Diagnostics as people read them: where, what, the line with a caret, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from statehold.cli._text import printable, width, wrapped
from statehold_vsql import Diagnostic, Severity

_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
_WIDTH = 100


class Source:
    """The text of one VSQL file, and the path a person knows it by."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.split("\n")

    def line(self, number: int) -> str:
        """Return a line by its number, empty where there is none."""
        return self.lines[number - 1].rstrip("\r") if 0 < number <= len(self.lines) else ""


Sources = Mapping[tuple[str, str], Source]


def diagnostic_document(diagnostic: Diagnostic, sources: Sources | None = None) -> dict[str, Any]:
    """Return a diagnostic as machines read it; `path` is the file's place where that is known."""
    source = (sources or {}).get((diagnostic.package, diagnostic.file))
    return {
        "severity": diagnostic.severity.value,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "package": diagnostic.package,
        "file": diagnostic.file,
        "path": source.path if source else diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "end_line": diagnostic.end_line,
        "end_column": diagnostic.end_column,
    }


def show_diagnostics(
    found: Iterable[Diagnostic],
    sources: Sources,
    *,
    err: bool = False,
    color: bool | None = None,
    columns: int | None = None,
) -> None:
    """Write each diagnostic with its source line and a caret."""
    for diagnostic in found:
        source = sources.get((diagnostic.package, diagnostic.file))
        for line in render(diagnostic, source, columns=columns):
            click.echo(line, err=err, color=color)


def render(diagnostic: Diagnostic, source: Source | None, *, columns: int | None = None) -> list[str]:
    """Return the lines that show one diagnostic, the last one empty; *columns* wide where that is given."""
    color = _COLORS[diagnostic.severity]
    word = f"{diagnostic.severity.value}:"
    code = f"[{diagnostic.code}]"
    text = wrapped(f"{word} {printable(diagnostic.message)} {code}", columns, indent=" " * 7)
    text = text.removeprefix(word).removesuffix(code)
    lines = [f"{click.style(word, fg=color, bold=True)}{text}{click.style(code, dim=True)}"]
    if diagnostic.file:
        path = source.path if source else diagnostic.file
        gutter = " " * len(str(diagnostic.line))
        bar = click.style("|", fg="blue")
        arrow = click.style("-->", fg="blue")
        lines.append(f"{gutter}{arrow} {printable(path)}:{diagnostic.line}:{diagnostic.column}")
        if source:
            room = (columns or _WIDTH) - len(gutter) - 9
            shown, caret = _excerpt(diagnostic, source.line(diagnostic.line), room)
            number = click.style(str(diagnostic.line), fg="blue")
            lines += [f"{number} {bar} {shown}", f"{gutter} {bar} {click.style(caret, fg=color, bold=True)}"]
    if diagnostic.hint:
        text = wrapped(f"  hint: {printable(diagnostic.hint)}", columns, indent=" " * 6)
        lines.append(text.replace("hint:", click.style("hint:", fg="cyan"), 1))
    return [*lines, ""]


def _excerpt(diagnostic: Diagnostic, line: str, room: int) -> tuple[str, str]:
    start = min(diagnostic.column - 1, len(line))
    end = diagnostic.end_column - 1 if diagnostic.end_line == diagnostic.line else len(line)
    end = max(min(end, len(line)), start + 1)
    cut = max(0, min(start - room // 3, len(line) - room)) if len(line) > room else 0
    mark, tail = ("..." if cut else ""), ("..." if cut + room < len(line) else "")
    before, marked, after = (
        _flat(line[cut:start]),
        _flat(line[start : min(end, cut + room)]),
        _flat(line[end : cut + room]),
    )
    shown = f"{mark}{before}{marked}{after}{tail}".rstrip()
    return shown, " " * (len(mark) + width(before)) + "^" * max(1, width(marked))


def _flat(text: str) -> str:
    return printable(text.replace("\t", "    "))
