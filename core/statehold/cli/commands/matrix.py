from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statehold.cli._hosts import HostOptions, app_argument, host_command
from statehold.cli._output import Output
from statehold_vsql import Operation, Scope

if TYPE_CHECKING:
    from statehold.hosting import Matrix, StorageAccess

_STYLES = {"declared": "bold green", "narrowed by operator": "yellow", "denied": "dim"}


@click.command("matrix")
@app_argument
@click.option("--version", help="A version that is not the current one.")
@click.option("--all", "everything", is_flag=True, help="Show the storages of package sys, too.")
@host_command
def command(out: Output, options: HostOptions, *, app: str, version: str | None, everything: bool) -> None:
    """Show who may do what: storage x operation x scope.

    APP is a deployed app, or the path of an image or of an application's folder, `./acme.bills`.
    """
    from statehold.cli._image_matrix import image_matrix  # noqa: PLC0415

    # `acme.bills` is the deployed app, even where there is a folder of that name.
    if "/" in app or Path(app).is_file() or Path(app).name == "":
        with out.progress(f"reading {app}"):
            matrix = image_matrix(Path(app))
    else:
        with options.open(out, apps=[app]) as host:
            matrix = host.matrix(app, version)
    out.document(
        {"app": matrix.app, "version": matrix.version, "storages": [_document(s) for s in matrix.storages]}
    )
    if not out.json:
        _show(out, matrix, everything=everything)


def _show(out: Output, matrix: Matrix, *, everything: bool) -> None:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from statehold.hosting import Permission  # noqa: PLC0415

    own = [access for access in matrix.storages if not access.storage.startswith("sys.")]
    shown = list(matrix.storages) if everything or not own else own
    table = Table("storage", *Operation, box=None, pad_edge=False)
    for access in shown:
        name = (
            Text(access.storage, style="bold")
            if access.provided
            else Text(f"({access.storage})", style="dim")
        )
        table.add_row(name, *(_cell(access, operation) for operation in Operation))
    out.line(f"{click.style(f'{matrix.app} {matrix.version}', bold=True)}: who may do what\n")
    out.table(table)
    out.line("\n" + "  ".join(f"{scope[0]} {scope.lower()}" for scope in Scope) + "  · denied")
    if any(Permission.NARROWED in access.permissions.values() for access in shown):
        out.line("a lower-case letter: declared, and taken away by the operator")
    if any(not access.provided for access in shown):
        out.line("(in brackets): declared, but not provided by this host")
    if len(shown) < len(matrix.storages):
        out.line(f"and {len(matrix.storages) - len(shown)} storages of package sys: --all")


def _cell(access: StorageAccess, operation: Operation) -> Any:
    from rich.text import Text  # noqa: PLC0415

    cell = Text()
    for scope in Scope:
        permission = access.permission(operation, scope)
        letter = {"declared": scope[0], "denied": "·"}.get(permission, scope[0].lower())
        cell.append(letter, style="dim" if not access.provided else _STYLES[permission])
    return cell


def _document(access: StorageAccess) -> dict[str, Any]:
    return {
        "storage": access.storage,
        "engine": access.engine,
        "provider": access.provider,
        "provided": access.provided,
        "permissions": {
            operation: {scope: access.permission(operation, scope) for scope in Scope}
            for operation in Operation
        },
    }
