from __future__ import annotations

from pathlib import Path

import click

from statehold.cli import Output, common
from statehold_zstor.commands._common import chosen, file_option, key_option, opened


@click.command()
@file_option
@key_option
@common
def delete(out: Output, file: Path | None, key: str | None) -> None:
    """Delete an object and its shards; local files stay.

    Shards on backends that do not answer are deleted by `monitor` when they do.
    """
    from statehold_zstor.objects import ObjectNotFoundError  # noqa: PLC0415  `--help` needs none of it

    with opened() as zstor:
        (name,) = chosen(zstor, file, key)
        if not zstor.delete(name):
            raise ObjectNotFoundError(f"there is no object {name!r}", hint="`statehold zstor list` shows all")
    out.document({"key": name})
    out.done(f"{name} is deleted")
