from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import click

from statehold.cli import Output, common

if TYPE_CHECKING:
    from statehold_aos.database import Service

__all__ = ["services"]

_STATES = ("installed", "running", "stopped")


@click.command("services")
@click.argument("location")
@click.option("--workspace", type=int, default=1, show_default=True, help="Whose services.")
@common
def services(out: Output, location: str, workspace: int) -> None:
    """Say which services are installed in the database LOCATION, and for whom.

    LOCATION is as for `migrate`: a database that has an older schema is brought to this one. A host may be
    at work on it. To install and to remove services, call a command of the application that has them.
    """
    from rich.table import Table  # noqa: PLC0415  `--help` needs none of it

    from statehold_aos.database import Database  # noqa: PLC0415  likewise

    with Database.open(location) as database:
        tables = database.of(workspace)
        found = [
            (row, [each.users for each in tables.users.of_service(row.id)]) for row in tables.services.all()
        ]
    out.document({"services": [{**_document(row), "users": users} for row, users in found]})
    table = Table("service", "version", "is", "started", "storage", "state", "users")
    for row, users in found:
        table.add_row(
            row.id,
            str(row.version),
            _state(row),
            _time(row.start_at),
            f"{row.storage_limit:,}",
            f"{row.state_limit:,}",
            "\n".join(users),
        )
    if found:
        out.table(table)
    else:
        out.line(f"no services in workspace {workspace}")


def _document(row: Service) -> dict[str, object]:
    return {**attrs.asdict(row), "state": _state(row)}


def _state(row: Service) -> str:
    return "failed" if row.status else _STATES[row.state] if row.state < len(_STATES) else str(row.state)


def _time(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "never"
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
