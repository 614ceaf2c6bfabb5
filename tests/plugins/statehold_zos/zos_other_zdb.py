"""A 0-db that knows no more than the original: for tests of `Config.zdb`, for which there is no package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from statehold_zdb.server import commands
from statehold_zdb.server._client import Answer, Arguments, Client

_NSNEW = commands.COMMANDS["NSNEW"]


def _nsnew(client: Client, arguments: Arguments) -> Answer:
    return b"-Unexpected arguments\r\n" if len(arguments) != 2 else _NSNEW(client, arguments)


def _unknown(_client: Client, _arguments: Arguments) -> Answer:
    return b"-Command not supported\r\n"


def binary(folder: Path) -> Path:
    """Write the program into a folder, and return it."""
    program = folder / "zdb"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$@"\n')
    program.chmod(0o755)
    return program


if __name__ == "__main__":
    commands.COMMANDS["NSNEW"] = _nsnew
    for name in ("COMPACT", "SYNC", "SWAP"):
        commands.COMMANDS[name] = _unknown
    assert "ZDB_ADMIN" not in os.environ

    from statehold_zdb.commands import command

    command(["serve", *sys.argv[1:]], standalone_mode=True)
