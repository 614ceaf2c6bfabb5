from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statehold.cli._compiling import compile_checked, offers
from statehold.cli._findings import show_diagnostics
from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._text import plural, printable, wrapped

if TYPE_CHECKING:
    from statehold.cli._findings import Sources
    from statehold.cli._sources import Checked
    from statehold_vsql.appdef import AppDef, Position
    from statehold_vsql.evolution import Change

_PATH = click.Path(exists=True, path_type=Path)


@click.command("diff")
@click.argument("old", type=_PATH)
@click.argument("new", type=_PATH)
@common
def command(out: Output, *, old: Path, new: Path) -> None:
    """Say what changed from OLD to NEW, and whom it breaks.

    Both are images, folders of applications or of packages, or .vsql files. Compared are declarations,
    and descriptor.json where both have one. A change is breaking where stored data, clients, the operator or
    other packages cannot go on as they did; the exit code is 1 then. docs/evolution.md has the rules.
    """
    from statehold.images import Described, compare_descriptors  # noqa: PLC0415 - only here
    from statehold_vsql.evolution import compare  # noqa: PLC0415

    with out.progress(f"comparing {old} and {new}"):
        before, was = _compiled(out, old)
        after, now = _compiled(out, new)
        changes = compare(was, now, old_offers=offers(before, was), new_offers=offers(after, now))
        if before.descriptor is not None and after.descriptor is not None:
            changes += compare_descriptors(
                Described(descriptor=before.descriptor, appdef=was),
                Described(descriptor=after.descriptor, appdef=now),
            )
    breaking = sum(change.breaking for change in changes)
    out.document(
        {
            "old": old,
            "new": new,
            "breaking": breaking,
            "changes": [_document(change, before.sources, after.sources) for change in changes],
        },
        ok=not breaking,
    )
    if not out.json:
        # What breaks comes last, where a terminal stands still.
        for change in sorted(changes, key=lambda change: change.breaking):
            _show(out, change, before.sources, after.sources)
        if changes:
            out.line()
    others = plural(len(changes) - breaking, "compatible change")
    if breaking:
        out.line(f"{click.style('✗', fg='red')} {plural(breaking, 'breaking change')}, {others}")
        click.get_current_context().exit(1)
    out.done(f"compatible: {others}" if changes else "nothing has changed")


def _compiled(out: Output, path: Path) -> tuple[Checked, AppDef]:
    from statehold.cli._sources import read_targets  # noqa: PLC0415
    from statehold.sdk import CompileError  # noqa: PLC0415

    (checked,) = read_targets([path])
    compilation = compile_checked(checked)
    if compilation.appdef is None:
        if not out.json:
            show_diagnostics(compilation.diagnostics, checked.sources, err=True, columns=out.width)
        raise CompileError(
            f"{path} cannot be compared: its declarations have errors",
            diagnostics=compilation.diagnostics,
            hint=f"See: statehold check {path}",
        )
    return checked, compilation.appdef


def _document(change: Change, before: Sources, after: Sources) -> dict[str, Any]:
    return {
        "breaking": change.breaking,
        "breaks": change.breaks,
        "code": change.code,
        "subject": change.subject,
        "message": change.message,
        "old": _place(change.old, before),
        "new": _place(change.new, after),
    }


def _place(position: Position | None, sources: Sources) -> dict[str, Any] | None:
    if position is None:
        return None
    source = sources.get((position.package, position.file))
    return {
        "package": position.package,
        "file": position.file,
        "path": source.path if source else position.file,
        "line": position.line,
        "column": position.column,
    }


def _show(out: Output, change: Change, before: Sources, after: Sources) -> None:
    word, color = ("breaking:", "red") if change.breaking else ("compatible:", "green")
    text = wrapped(f"{word} {change.subject}: {change.message}", out.width, indent="  ")
    code = f"[{change.code}]" if change.breaks is None else f"[{change.code}, breaks {change.breaks}]"
    out.line(
        f"{click.style(word, fg=color, bold=True)}{printable(text.removeprefix(word))} "
        f"{click.style(code, dim=True)}"
    )
    place = _place(change.new, after) or _place(change.old, before)
    if place is not None:
        was = "" if change.new else " of OLD"
        out.line(f"  --> {printable(place['path'])}:{place['line']}:{place['column']}{was}")
