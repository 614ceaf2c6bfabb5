from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from statehold.cli._group import cli
from statehold.cli._output import Output, show_error, terminal_width
from statehold.cli._session import Session


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run the command line and return its exit code: 0 done, 1 errors found, 2 wrong usage."""
    return execute(argv, color=_color())


def execute(argv: Sequence[str], *, color: bool | None = None, session: Session | None = None) -> int:
    """Run the command line as part of a program, in *session* where one is given."""
    arguments = list(argv)
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    out = Output(json="--json" in options, debug="--debug" in options)
    width = session.width if session else terminal_width()
    try:
        code = cli.main(arguments, prog_name="statehold", standalone_mode=False, color=color, obj=session)
    except SystemExit:
        return 1  # So click ends where nobody reads any more what is written.
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  people see errors, not our insides
        try:
            return _tell(error, out, color=color, width=width)
        except OSError:
            # Where stdout is what failed, there is no document.
            return _tell(error, Output(debug=out.debug), color=color, width=width)
    return code if isinstance(code, int) else 0


def _tell(error: BaseException, out: Output, *, color: bool | None, width: int | None) -> int:
    if isinstance(error, click.UsageError):
        _usage(error, out)
        return 2
    if isinstance(error, click.Abort | KeyboardInterrupt):
        _fail(out, "Interrupted", "interrupted")
        return 130
    if isinstance(error, click.ClickException):
        _fail(out, "Error", error.format_message())
        return 1
    if out.debug and not out.json:
        import traceback  # noqa: PLC0415

        traceback.print_exception(error)
    show_error(out, error, color=color, width=width)
    return 1


def _color() -> bool | None:
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def _usage(error: click.UsageError, out: Output) -> None:
    if out.json:
        hint = f"see: {error.ctx.command_path} --help" if error.ctx else ""
        out.document(
            {"error": {"type": "UsageError", "message": error.format_message(), "hint": hint}}, ok=False
        )
    else:
        error.show()


def _fail(out: Output, kind: str, message: str) -> None:
    if out.json:
        out.document({"error": {"type": kind, "message": message, "hint": ""}}, ok=False)
    else:
        click.echo(message, err=True)
