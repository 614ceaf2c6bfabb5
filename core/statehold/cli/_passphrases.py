from __future__ import annotations

import sys
from pathlib import Path

import click

from statehold.cli._output import Output


def read_passphrase(file: Path | None) -> bytes | None:
    """Return the first line of *file*, where one is given."""
    if file is None:
        return None
    found = file.read_bytes().partition(b"\n")[0].removesuffix(b"\r")
    if not found:
        raise click.BadParameter(
            f"{file} has no passphrase in its first line.", param_hint="--passphrase-file"
        )
    return found


def ask_passphrase(out: Output, *, twice: bool = False) -> bytes:
    """Ask for a passphrase on the terminal; where there is none, say how else it can be given."""
    if out.json or not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask for the passphrase: give --passphrase-file.")
    text: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True)
    return text.encode()
