from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from statehold.cli import Output, common
from statehold_zos.commands._common import TYPES, described, opened

if TYPE_CHECKING:
    from statehold_zos.node import Node

_PLACEMENTS = ("best-fit", "worst-fit", "spread", "ssd-first")


@click.command("reserve")
@click.argument("disk_type", metavar="TYPE", type=click.Choice(TYPES))
@click.argument("size")
@click.option("--name", default="", help="What it is called; the same again gives the same.")
@click.option("--pool", default="", help="In this pool. [the one that fits best]")
@click.option("--placement", type=click.Choice(_PLACEMENTS), help="Which of the pools with room.")
@click.option("--namespace", is_flag=True, help="A namespace of 0-db instead of a folder.")
@click.option("--mode", type=click.Choice(["user", "seq"]), help="How keys of a namespace come about. [user]")
@click.option(
    "--password-file", type=click.File("r"), help="A namespace's password, in a file; - for standard input."
)
@common
def reserve(  # noqa: PLR0917  how click passes them
    out: Output,
    disk_type: str,
    size: str,
    name: str,
    pool: str,
    placement: str | None,
    namespace: bool,  # noqa: FBT001
    mode: str | None,
    password_file: IO[str] | None,
) -> None:
    """Reserve SIZE, such as "10 GiB", on disks of a TYPE: a folder, or with --namespace a 0-db namespace."""
    from statehold_zos.model import (  # noqa: PLC0415  `--help` needs none of it
        DiskType,
        Mode,
        Placement,
        RefusedError,
        size_text,
    )

    if not namespace and (mode is not None or password_file is not None):
        raise click.UsageError("--mode and --password-file are for a --namespace")
    if namespace and (pool or placement is not None):
        raise click.UsageError("--pool and --placement are for a folder: a namespace goes where a server is")
    with opened() as node:
        if namespace:
            if password_file is None:
                raise RefusedError(
                    "a namespace has a password, and none is given",
                    hint="--password-file names a file with it; - is standard input",
                )
            try:
                password = password_file.read().rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise RefusedError(
                    f"the password in {password_file.name} is no UTF-8 text",
                    hint="A password is text of 1 to 63 bytes, in one line",
                ) from error
            made = node.namespaces.reserve(
                DiskType(disk_type), size, Mode(mode or "user"), password, name=name
            )
            out.document(described(made))
            out.done(f"{made.id} takes {size_text(made.size)} on {made.pool}, mode {made.mode.value}")
            out.line(f"  {made.host}:{made.port}, {made.socket}")
            return
        space = node.pools.reserve(
            DiskType(disk_type),
            size,
            name=name,
            pool=pool,
            placement=Placement(placement) if placement is not None else None,
        )
    out.document(described(space))
    out.done(f"{space.id} takes {size_text(space.size)} on {space.pool}; limits: {space.limits}")
    out.line(f"  {space.path}")


@click.command("resize")
@click.argument("reservation", metavar="ID")
@click.argument("size")
@common
def resize(out: Output, reservation: str, size: str) -> None:
    """Give a folder or a namespace another SIZE, larger or smaller, with what is in it."""
    from statehold_zos.model import size_text  # noqa: PLC0415  `--help` needs none of it

    with opened() as node:
        if _is_namespace(node, reservation):
            made = node.namespaces.resize(reservation, size)
            out.document(described(made))
            out.done(f"{made.id} takes {size_text(made.size)} now")
            return
        space = node.pools.resize(reservation, size)
    out.document(described(space))
    out.done(f"{space.id} takes {size_text(space.size)} now")


@click.command("release")
@click.argument("reservation", metavar="ID")
@common
def release(out: Output, reservation: str) -> None:
    """Give a reservation back: a folder goes at once with all in it, a namespace after its time of grace."""
    with opened() as node:
        kept = _is_namespace(node, reservation)
        if kept:
            node.namespaces.release(reservation)
        else:
            node.pools.release(reservation)
        grace = node.config.grace
    out.document({"released": reservation, "grace": grace if kept else 0})
    later = f": it can be read for {grace:g} seconds more" if kept and grace else ""
    out.done(f"{reservation} is released{later}")


@click.command("freeze")
@click.argument("namespace", metavar="ID")
@click.option("--thaw", is_flag=True, help="Let it be written again.")
@common
def freeze(out: Output, namespace: str, thaw: bool) -> None:  # noqa: FBT001
    """Let a namespace only be read, or with --thaw be written again."""
    with opened() as node:
        made = node.namespaces.freeze(namespace, frozen=not thaw)
    out.document(described(made))
    out.done(f"{made.id} can be {'read and written' if thaw else 'read only'}")


def _is_namespace(node: Node, reservation: str) -> bool:
    """Say what an id is of; NotFoundError where it is of nothing."""
    from difflib import get_close_matches  # noqa: PLC0415  `--help` needs none of it

    from statehold_zos.model import NotFoundError  # noqa: PLC0415

    namespaces = {each.id for each in node.namespaces.list()}
    spaces = {each.id for each in node.pools.list()}
    if reservation in namespaces or reservation in spaces:
        return reservation in namespaces
    near = get_close_matches(reservation, [*spaces, *namespaces], n=1)
    raise NotFoundError(
        f"there is no reservation {reservation!r}",
        hint=(f"is {near[0]} meant? " if near else "") + "`statehold zos spaces` and `namespaces` list all",
    )
