"""Writes docs/cli.md out of the command line's own help: `python tests/docs/cli_page.py > docs/cli.md`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from statehold.cli._group import cli

_HEAD = """\
# Command line

*Which commands and options are there?*

This page is what `--help` says. `python -m statehold` is the same as `statehold`.

For machines, every command takes `--json` and writes one document: `{"ok": true, ...}` with what it found, or
`{"ok": false, "error": {"type": ..., "message": ..., "hint": ...}}` with exit code 1, or 2 for wrong usage.
Nothing else is on stdout. Bytes are `{"base64": "..."}`, floats that JSON has no word for `{"float": "nan"}`.

`NO_COLOR` takes the colours away, `FORCE_COLOR` keeps them in a pipe.
"""


def page() -> str:
    """Return the text of docs/cli.md."""
    return _HEAD + "".join(_section(path, command) for path, command in _commands("statehold", cli))


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from _commands(f"{path} {name}", found)


def _section(path: str, command: click.Command) -> str:
    context = click.Context(
        command,
        info_name=path,
        terminal_width=100,
        max_content_width=100,
        help_option_names=["-h", "--help"],
    )
    return f"\n## {path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"


if __name__ == "__main__":
    print(page(), end="")
