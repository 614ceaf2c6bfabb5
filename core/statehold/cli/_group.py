from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from statehold.cli._plugin_commands import load_command, plugin_commands

_SECTIONS = {
    "Write": ("new", "stubs", "check", "build", "conformance"),
    "Images": ("inspect", "verify", "diff"),
    "Trust": ("keygen", "sign", "trust"),
    "Operate": (
        "deploy",
        "upgrade",
        "apps",
        "matrix",
        "call",
        "activate",
        "rollback",
        "undeploy",
        "quarantine",
    ),
    "Run": ("serve", "exec", "token", "workspace"),
    "More": ("storages", "demo", "completion"),
}
_OWN = [name for names in _SECTIONS.values() for name in names]


class LazyGroup(click.Group):
    """A group whose commands are modules, imported when they are used, and after them those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  the signature is click's
        """Return the names in the order of the help."""
        return [*_OWN, *(name for name in plugin_commands() if name not in _OWN)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the command, None where there is no such."""
        if cmd_name not in _OWN:
            claims = plugin_commands().get(cmd_name)
            return load_command(claims) if claims else None
        command: click.Command = import_module(f"statehold.cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail with the nearest name."""
        if args[0] not in _OWN and args[0] not in self.list_commands(ctx):
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            if near:
                ctx.fail(f"No such command '{args[0]}'. Did you mean '{near[0]}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in sections."""
        plugins = [name for name in self.list_commands(ctx) if name not in _OWN]
        for section, names in [*_SECTIONS.items(), ("Plugins", plugins)][: None if plugins else -1]:
            with formatter.section(section):
                commands: list[Any] = [(name, self.get_command(ctx, name)) for name in names]
                formatter.write_dl([(name, c.get_short_help_str(60)) for name, c in commands], col_max=14)


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        from importlib.metadata import version  # noqa: PLC0415

        click.echo(f"statehold {version('statehold')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def cli() -> None:
    """Host applications that bring their own state-storage engines.

    Start with `statehold demo`, or make your own with `statehold new app you.shop`.

    Every command takes --json (one JSON document on stdout, errors too) and --debug.
    Exit codes: 0 done, 1 errors found, 2 wrong usage, 130 interrupted.
    """
