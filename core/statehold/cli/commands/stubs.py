from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._text import plural

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("stubs")
@click.argument("project", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing, and fail where a file is out of date.")
@common
def command(out: Output, *, project: Path, check: bool) -> None:
    """Write what extensions get of their calls, typed, for editors and mypy.

    PROJECT is an application's folder. In each of its packages with Python extensions,
    extensions/calls.pyi gets a class for every extension, with the keys and values of what it
    uses. The code imports it for type checkers alone, under `if TYPE_CHECKING`.
    """
    with out.progress(f"reading {project}"):
        stubs, problems = _stubs(project)
    stale = [path for path, text in stubs.items() if not path.exists() or path.read_text("utf-8") != text]
    out.document({"files": [*stubs], "stale": stale, "problems": problems}, ok=not (check and stale))
    for problem in problems:
        out.warn(problem)
    if check and stale:
        for path in stale:
            out.line(f"{path} is out of date")
        out.line(f"\n{click.style('✗', fg='red')} write them anew: statehold stubs {project}")
        click.get_current_context().exit(1)
    if not check:
        for path in stale:
            path.parent.mkdir(exist_ok=True)
            path.write_text(stubs[path], encoding="utf-8")
    kept = len(stubs) - len(stale)
    out.done(
        ", ".join(
            [f"{plural(len(stale), 'file')} written"] * bool(stale)
            + [f"{plural(kept, 'file')} up to date"] * bool(kept or not stale)
        )
    )
    for path in stubs:
        out.line(f"  {path}")


def _stubs(project: Path) -> tuple[Mapping[Path, str], list[str]]:
    """Return the text of each file, and what is wrong with the application that is not its code."""
    from statehold.extensions.stubs import STUBS, write_stubs  # noqa: PLC0415
    from statehold.hosting import Rehearsal  # noqa: PLC0415
    from statehold.sdk import StateholdError  # noqa: PLC0415

    stubs = {}
    with (
        tempfile.TemporaryDirectory(prefix="statehold-") as folder,
        Rehearsal(project, folder=Path(folder), load_code=False) as rehearsal,
    ):
        packages = project / "image" / "pkg"
        for package, path in rehearsal.appdef.packages.items():
            home = packages / path
            text = write_stubs(rehearsal.appdef, rehearsal.schemas, rehearsal.context.uses, package)
            if text is None or not home.is_dir():
                continue
            target = home / "extensions" / STUBS
            if target.with_suffix(".py").exists():
                raise StateholdError(
                    f"{target} would hide {target.with_suffix('.py').name} from type checkers",
                    hint="Give that module another name",
                )
            stubs[target] = text
        return stubs, rehearsal.problems
