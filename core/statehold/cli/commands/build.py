from __future__ import annotations

from pathlib import Path

import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._text import plural, size


@click.command("build")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="The image, or a folder for it.  [default: here]"
)
@click.option("--version", help="The version's name, instead of the descriptor's.")
@common
def command(out: Output, *, folder: Path, output: Path | None, version: str | None) -> None:
    """Pack an application's FOLDER into one image file.

    The same folder gives the same bytes, wherever and whenever it is built.
    """
    from statehold.images import build_image, open_image  # noqa: PLC0415

    target = output or Path()
    if not target.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {target.parent}.", param_hint="--output")
    with out.progress(f"building {folder}"):
        path = build_image(folder, target, version=version)
        with open_image(path) as image:
            files, digest, app, name = len(image.files), image.digest, image.app, image.version
    length = path.stat().st_size
    out.document(
        {"path": path, "app": app, "version": name, "digest": digest, "files": files, "size": length}
    )
    out.done(f"{path}  {plural(files, 'file')}, {size(length)}")
    out.line(f"  sha256 {digest}")
