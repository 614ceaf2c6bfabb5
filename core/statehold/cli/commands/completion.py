from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from statehold.cli._options import common
from statehold.cli._output import Output

_SHELLS = ("bash", "zsh", "fish")


_EPILOG = """\b
In your shell's start file:
  bash, zsh:  eval "$(statehold completion bash)"
  fish:       statehold completion fish | source
"""


@click.command("completion", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(_SHELLS))
@common
def command(out: Output, shell: str) -> None:
    """Print the completion script of a shell."""
    from statehold.cli._group import cli  # noqa: PLC0415

    maker = get_completion_class(shell)
    if maker is None:
        raise click.UsageError(f"no completion for {shell}")
    script = maker(cli, {}, "statehold", "_STATEHOLD_COMPLETE").source()
    out.document({"shell": shell, "script": script})
    out.line(script)
