from __future__ import annotations

from pathlib import Path

import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._text import plural, printable


@click.command("verify")
@click.argument("image", type=click.Path(exists=True, path_type=Path))
@common
def command(out: Output, *, image: Path) -> None:
    """Verify every name, size and digest in an IMAGE."""
    from statehold.images import open_image, verify_image  # noqa: PLC0415

    with out.progress(f"verifying {image}"):
        problems = verify_image(image)
    if problems:
        found = [{"code": p.code, "path": p.path, "message": p.message, "hint": p.hint} for p in problems]
        out.document({"image": image, "problems": found}, ok=False)
        for problem in problems:
            out.line(f"{click.style('error:', fg='red', bold=True)} {printable(problem.message)}")
            if problem.path:
                out.line(f"  in {printable(problem.path)}")
            if problem.hint:
                out.line(f"  {click.style('hint:', fg='cyan')} {printable(problem.hint)}")
        out.line(f"\n{click.style('✗', fg='red')} {image} is refused: {plural(len(problems), 'problem')}")
        click.get_current_context().exit(1)
    with open_image(image) as opened:
        app, version, digest, files = opened.app, opened.version, opened.digest, len(opened.files)
    document = {
        "image": image,
        "problems": [],
        "app": app,
        "version": version,
        "digest": digest,
        "files": files,
    }
    out.document(document)
    out.done(f"{image} is sound: {app} {version}, {plural(files, 'file')}")
    out.line(f"  sha256 {digest}")
