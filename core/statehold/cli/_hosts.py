from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from statehold.cli._logs import heard_by
from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._session import session

if TYPE_CHECKING:
    from statehold.hosting import Host
    from statehold.rows import RowDriver

R = TypeVar("R")


@attrs.frozen(kw_only=True)
class HostOptions:
    """Where a command finds its host and the secrets of its apps, and whom it trusts how far."""

    data: Path
    secrets: Path | None
    trust: Path | None
    sandbox: str
    verbose: bool
    rows: str | None = attrs.field(default=None, repr=False)

    @contextmanager
    def open(
        self,
        out: Output,
        *,
        apps: Collection[str] | None,
        keep: int = 0,
        time_calls: bool | None = None,
        by_http: str = "",
    ) -> Iterator[Host]:
        """Open the host with the named apps running, or all with None, and close it again.

        Where a server holds its folder, the error says *by_http*: how to ask the server.
        """
        from statehold.hosting import FolderHeldError, Host, Sandbox  # noqa: PLC0415

        running = session().host
        if running is not None:
            yield running
            return
        log = _log("statehold", logging.DEBUG) if self.verbose else _log("statehold.host", None)
        with log, self._driver() as rows:
            secrets = self.secrets or self.data / "secrets"
            try:
                with out.progress("starting the host"):
                    host = Host(
                        self.data,
                        secrets_folder=secrets,
                        trust=self.trust,
                        sandbox=Sandbox(self.sandbox),
                        apps=apps,
                        keep=keep,
                        rows=rows,
                        time_calls=time_calls,
                    )
            except FolderHeldError as error:
                hint = f"Stop that process, or where it is a server, ask that: {by_http}"
                raise FolderHeldError(error.message, hint=hint if by_http else error.hint) from error
            with host:
                yield host
            # Freeing has warnings, too. After an error, that error says what was wrong.
            for warning in host.warnings:
                out.warn(warning)

    @contextmanager
    def _driver(self) -> Iterator[RowDriver | None]:
        """Give the driver of the rows; None for the host's own."""
        if self.rows is None:
            yield None
            return
        if not self.rows.startswith(("postgresql://", "postgres://")):
            raise click.BadParameter(
                f"{self.rows.partition(':')[0]!r}: expected postgresql://USER@HOST/DATABASE.",
                param_hint="--rows",
            )
        from statehold.rows import PostgresDriver  # noqa: PLC0415

        with PostgresDriver(self.rows) as driver:
            yield driver


@contextmanager
def _log(name: str, level: int | None) -> Iterator[None]:
    """Show on stderr what the logger says, or with no *level* nothing of it."""
    handler = logging.NullHandler() if level is None else logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)-7s %(name)s: %(message)s"))
    with heard_by(handler, name, level=level):
        yield


def app_argument(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the argument APP, which a shell can complete."""
    return click.argument("app", shell_complete=_known_apps)(function)


def _known_apps(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    # Read off the folders: a host may be at work, and a shell does not wait for one to start.
    folder = Path(context.params.get("data") or os.environ.get("STATEHOLD_DATA", ".statehold")) / "apps"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(incomplete))


def host_command(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options of a host, and `(Output, HostOptions)` as its first arguments."""

    @click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(".statehold"),
        envvar="STATEHOLD_DATA",
        show_default=True,
        show_envvar=True,
        help="The host's data folder.",
    )
    @click.option(
        "--secrets",
        type=click.Path(file_okay=False, exists=True, path_type=Path),
        envvar="STATEHOLD_SECRETS",
        show_envvar=True,
        help="The folder of secrets.  [default: `secrets` in the data folder]",
    )
    @click.option(
        "--trust",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="STATEHOLD_TRUST",
        show_envvar=True,
        help="The trust store.  [default: `trust.json` in the data folder, if it is there]",
    )
    @click.option(
        "--sandbox",
        type=click.Choice(["required", "available", "off"]),
        metavar="MODE",
        default="available",
        envvar="STATEHOLD_SANDBOX",
        show_default=True,
        show_envvar=True,
        help="The sandbox of sidecars: required, available or off.",
    )
    @click.option(
        "--rows",
        metavar="URL",
        envvar="STATEHOLD_ROWS",
        show_envvar=True,
        help="The database of what apps remember.  [default: SQLite files in the data folder]",
    )
    @click.option("--verbose", "-v", is_flag=True, help="Show on stderr what host and storages log.")
    @common
    @wraps(function)
    def command(
        out: Output,
        *args: Any,
        data: Path,
        secrets: Path | None,
        trust: Path | None,
        sandbox: str,
        rows: str | None,
        verbose: bool,
        **kwargs: Any,
    ) -> R:
        options = HostOptions(
            data=data, secrets=secrets, trust=trust, sandbox=sandbox, rows=rows, verbose=verbose
        )
        return function(out, options, *args, **kwargs)

    return command
