"""Commands that installed plugins bring, named as entry points of the group `statehold.commands`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "statehold.commands"


def plugin_commands() -> Mapping[str, tuple[EntryPoint, ...]]:
    """Return who claims which command, in the order of names; imports none of them."""
    from importlib.metadata import entry_points  # noqa: PLC0415  most commands are of the host's own

    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in sorted(set(entry_points(group=GROUP)), key=lambda entry: (entry.name, entry.value)):
        found[entry.name] = (*found.get(entry.name, ()), entry)
    return found


def load_command(claims: tuple[EntryPoint, ...]) -> click.Command:
    """Import and return a command; one that is broken or claimed twice is a command that says why."""
    entry = claims[0]
    if len(claims) > 1:
        return _broken(entry, "claimed by " + " and by ".join(map(_who, claims)))
    try:
        command = entry.load()
    except Exception as error:  # noqa: BLE001  whatever a plugin raises, the other commands go on
        return _broken(entry, f"{_who(entry)}: {type(error).__name__}: {error}", cause=error)
    if not isinstance(command, click.Command):
        return _broken(entry, f"{_who(entry)} is no click command, but {type(command).__name__}")
    return command


def _who(entry: EntryPoint) -> str:
    return f"{entry.value} of {entry.dist.name if entry.dist else 'nobody'}"


def _broken(entry: EntryPoint, why: str, *, cause: Exception | None = None) -> click.Command:
    def fail() -> None:
        from statehold.sdk import PluginError  # noqa: PLC0415  `--help` needs none of it

        raise PluginError(
            f"the command {entry.name!r} of a plugin is broken: {why}",
            hint="Mend or uninstall the plugin; all other commands work",
        ) from cause

    return click.Command(
        entry.name,
        callback=fail,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED, expose_value=False)],
        context_settings={"ignore_unknown_options": True},
        help=f"Broken: {why}",
        short_help=f"broken: {why}",
    )
