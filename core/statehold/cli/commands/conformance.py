from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._text import plural, printable

_EVERY = ("inprocess", "sidecar", "wasm")
_NO_TESTS = 5


@click.command("conformance")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--isolation",
    "isolations",
    multiple=True,
    metavar="WHERE",
    type=click.Choice(_EVERY),
    help="inprocess, sidecar or wasm; may be given several times.  [default: every one]",
)
@click.option("-k", "only", metavar="EXPRESSION", help="Run the tests that match it, as pytest does.")
@common
def command(out: Output, *, paths: tuple[Path, ...], isolations: tuple[str, ...], only: str | None) -> None:
    """Run conformance tests in every isolation that their storages can have.

    PATH are files or folders with tests, as for pytest; those that derive from
    `statehold.testing.StorageConformance` are run. A sidecar is shut in as by a host.
    """
    asked = isolations or _EVERY
    found: dict[str, dict[str, dict[str, Any]]] = {}
    failed: dict[str, str] = {}
    for isolation in asked:
        with out.progress(f"testing {isolation}"):
            lines, told, ok = _run(paths, isolation, only)
        if not ok:
            failed[isolation] = told
        for line in lines:
            found.setdefault(line["case"], {})[isolation] = line
    out.document(
        {
            "isolations": asked,
            "storages": [line for lines in found.values() for line in lines.values()],
        },
        ok=not failed and bool(found),
    )
    if not out.json:
        _show(out, asked, found, failed)
    if failed or not found:
        click.get_current_context().exit(1)


def _run(paths: tuple[Path, ...], isolation: str, only: str | None) -> tuple[list[dict[str, Any]], str, bool]:
    """Return what was found about each storage, what pytest said, and whether all went well."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        options = [f"--statehold-report-file={report}", f"--statehold-isolation={isolation}"]
        if only:
            options += ["-k", only]
        ended = subprocess.run(  # noqa: S603 - this Python, and what the user names
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *map(str, paths)],
            capture_output=True,
            text=True,
            check=False,
        )
        lines: list[dict[str, Any]] = json.loads(report.read_text("utf-8")) if report.exists() else []
    return lines, ended.stdout + ended.stderr, ended.returncode in (0, _NO_TESTS)


def _show(
    out: Output,
    asked: tuple[str, ...],
    found: dict[str, dict[str, dict[str, Any]]],
    failed: dict[str, str],
) -> None:
    for told in failed.values():
        out.line(printable(told.rstrip()) + "\n")
    if not found:
        out.line("no test of statehold.testing.StorageConformance was run")
        return
    rows = []
    reasons: dict[str, None] = {}
    for lines in found.values():
        any_line = next(iter(lines.values()))
        cells = [_cell(lines.get(isolation)) for isolation in asked]
        rows.append((any_line["storage"], any_line["test"], *cells))
        reasons.update(dict.fromkeys(line["unsuited"] for line in lines.values() if line["unsuited"]))
    table = [("storage", "test", *asked), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        out.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for reason in reasons:
        out.line(f"  - {reason}")
    if not failed:
        out.done(f"no errors: {plural(len(found), 'storage')}")


def _cell(line: dict[str, Any] | None) -> str:
    if line is None or line["unsuited"]:
        return "-"
    if line["failed"]:
        return f"{line['level']}, {', '.join(line['failed'])} failed"
    return str(line["level"])
