from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from statehold.cli import Output, common
from statehold_zstor.commands._common import bar, described, key_of_file, opened, protection, size_text


@click.command()
@click.option(
    "-f",
    "--file",
    "files",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    required=True,
    help="A file, or a folder of files; may be given again.",
)
@click.option(
    "-k", "--key-path", type=click.Path(path_type=Path), help="Store as if the files lay in this folder."
)
@click.option("-d", "--delete", is_flag=True, help="Delete the local files once they are stored.")
@click.option("-s", "--save-failure", "_saved", is_flag=True, hidden=True)
@click.option("-e", "--error-on-failure", "_error", is_flag=True, hidden=True)
@click.option("-n", "--not-blocking", "_later", is_flag=True, hidden=True)
@common
def store(
    out: Output,
    files: Sequence[Path],
    key_path: Path | None,
    delete: bool,  # noqa: FBT001  how click passes them
    **_: bool,  # what the original takes, and what makes no difference here
) -> None:
    """Store files; one that was stored before is replaced.

    It ends when every shard is on its backend, or as many as [acknowledge] says.
    """
    from statehold_zstor.objects import ObjectChangedError, checksum_of  # noqa: PLC0415

    stored = []
    with opened() as zstor:
        for path, name in _files(files, key_path):
            with bar(out, path.name, path.stat().st_size) as progress:
                info = zstor.store(key_of_file(zstor, name), path, progress=progress)
            if delete:
                if (path.stat().st_size, checksum_of(path)) != (info.size, info.checksum):
                    raise ObjectChangedError(
                        f"{path} was written to while it was stored, and is not deleted",
                        hint="Store it again",
                    )
                path.unlink()
            stored.append(described(info))
            gone = ", and deleted here" if delete else ""
            out.done(f"{path}: {size_text(info.size)} stored in {protection(info)}{gone}")
    if not stored:
        out.line("nothing to store: there are no files")
    out.document({"stored": stored})


@click.command()
@click.option(
    "-f", "--file", type=click.Path(path_type=Path), required=True, help="The file that was stored."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to write it. [where it was stored from]"
)
@common
def retrieve(out: Output, file: Path, output: Path | None) -> None:
    """Bring a file back to where it was stored from.

    The file is there when all of it is, and is right; until then, and where that fails, what is there stays.
    """
    target = output or file
    with opened() as zstor:
        key = key_of_file(zstor, file)
        found = zstor.check(key)
        if found is not None:
            target.absolute().parent.mkdir(parents=True, exist_ok=True)
        with bar(out, target.name, found.size if found is not None else None) as progress:
            info = zstor.retrieve(key, target.absolute(), progress=progress)
    out.document({"path": str(target), **described(info)})
    out.done(f"{target}: {size_text(info.size)}, CRC-32 {info.checksum:08x}")


def _files(files: Sequence[Path], key_path: Path | None) -> list[tuple[Path, Path]]:
    """Return each file, and the path that it is stored under."""
    found = []
    for path in files:
        folder = path if path.is_dir() else path.parent
        inside = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        found += [(each, key_path / each.relative_to(folder) if key_path else each) for each in inside]
    return found
