from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from statehold.cli._compiling import compile_checked
from statehold.cli._findings import diagnostic_document, show_diagnostics
from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._text import plural, printable
from statehold_vsql import Severity

if TYPE_CHECKING:
    from statehold.cli._sources import Checked
    from statehold_vsql import Compilation, Diagnostic


@click.command("check")
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(exists=True, path_type=Path)
)
@common
def command(out: Output, *, paths: tuple[Path, ...]) -> None:
    """Check declarations, running no code of the app.

    PATH is an image, the folder of an application or of a package, or .vsql files. Packages given
    together may import each other. Without a package `sys`, the host's own is used.
    """
    from statehold.cli._sources import read_targets  # noqa: PLC0415

    with out.progress("checking"):
        results = [(checked, compile_checked(checked)) for checked in read_targets(paths)]
    found = [(checked, _wanted(checked, compiled)) for checked, compiled in results]
    problems = [problem for checked, _ in found for problem in checked.problems]
    problems += [problem for checked, compiled in results for problem in _misplaced(checked, compiled)]
    diagnostics = [(checked, item) for checked, items in found for item in items]
    errors = sum(item.severity is Severity.ERROR for _, item in diagnostics) + len(problems)
    warnings = len(diagnostics) + len(problems) - errors
    files = sum(
        len(names)
        for checked, _ in found
        for path, names in checked.packages.items()
        if path in checked.asked
    )
    out.document(
        {
            "errors": errors,
            "warnings": warnings,
            "files": files,
            "diagnostics": [diagnostic_document(item, checked.sources) for checked, item in diagnostics],
            "problems": problems,
        },
        ok=not errors,
    )
    if not out.json:
        for checked, items in found:
            show_diagnostics(items, checked.sources, columns=out.width)
        for problem in problems:
            out.line(f"{click.style('error:', fg='red', bold=True)} {printable(problem)}\n")
        _summary(out, results, errors=errors, warnings=warnings, files=files)
    if errors:
        click.get_current_context().exit(1)


def _misplaced(checked: Checked, compiled: Compilation) -> Iterator[str]:
    """Yield what of the descriptor cannot be had of the storages."""
    if checked.descriptor is None or compiled.appdef is None or not checked.descriptor.storages:
        return
    from statehold.hosting import placing_problems  # noqa: PLC0415 - it takes a while

    for problems in placing_problems(checked.descriptor, compiled.appdef).values():
        yield from problems


def _wanted(checked: Checked, compiled: Compilation) -> list[Diagnostic]:
    return [item for item in compiled.diagnostics if not item.package or item.package in checked.asked]


def _summary(
    out: Output, results: list[tuple[Checked, Compilation]], *, errors: int, warnings: int, files: int
) -> None:
    counts = f"{plural(errors, 'error')}, {plural(warnings, 'warning')} in {plural(files, 'file')}"
    if errors:
        out.line(f"{click.style('✗', fg='red')} {counts}")
        return
    storages = extensions = 0
    for checked, compiled in results:
        if compiled.appdef is not None:
            own = {name for name, path in compiled.appdef.packages.items() if path in checked.asked}
            storages += sum(name.package in own for name in compiled.appdef.storages)
            extensions += sum(name.package in own for name in compiled.appdef.extensions)
    what = f"{plural(files, 'file')}, {plural(storages, 'storage')}, {plural(extensions, 'extension')}"
    tail = f"; {plural(warnings, 'warning')}" if warnings else ""
    out.done(f"no errors: {what}{tail}")
