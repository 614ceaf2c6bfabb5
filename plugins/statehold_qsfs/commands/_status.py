from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statehold.cli import Output, common

if TYPE_CHECKING:
    from statehold_qsfs.mount import Mounted


@click.command("status")
@click.argument("place", type=click.Path(path_type=Path), required=False)
@common
def status(out: Output, place: Path | None) -> None:
    """Show what is mounted, how full it is, and what is not on the disk yet.

    PLACE is a mount point or the folder of a store; without it all mounts of this machine are shown.
    """
    from statehold_qsfs.mount import KIND, MountError, at, claim_of, of, table  # noqa: PLC0415

    if place is None:
        mounts = [each for each in table() if each.kind == KIND]
    else:
        where = place.resolve()
        here = at(where)
        mounts = [here] if here is not None and here.kind == KIND else of(where)
        if not mounts:
            claim = claim_of(where)
            if claim is None:
                raise MountError(f"{place}: nothing of QSFS is mounted there")
            said = "its process is at work" if claim.alive else "and its process was killed"
            raise MountError(
                f"{place}: not mounted; it was at {claim.point}, {said}",
                hint="" if claim.alive else f"statehold qsfs mount {place} {claim.point}",
            )
    known = [_asked(each) for each in mounts]
    out.document({"mounts": known})
    if not known:
        out.line("nothing of QSFS is mounted")
        return
    from rich.table import Table  # noqa: PLC0415

    shown = Table("MOUNTED AT", "STORE", "PROCESS", "SINCE", "FILES", "USED", "FREE", "IN MEMORY", box=None)
    for each in known:
        shown.add_row(*_row(each))
    out.table(shown)
    for each in known:
        if failed := each.get("files", {}).get("failed"):
            out.warn(f"{each['point']}: nothing can be made durable: {failed}")
        elif each["dead"]:
            out.warn(f"{each['point']}: its process is gone: statehold qsfs umount {each['point']}")
        if "protection" in each:
            out.line(f"{each['point']}: {_protection(each['protection'])}")


def _protection(told: dict[str, Any]) -> str:
    import msgspec  # noqa: PLC0415  `--help` needs none of it

    from statehold_qsfs.commands._serve import waiting  # noqa: PLC0415
    from statehold_qsfs.protection import Figures  # noqa: PLC0415

    return waiting(msgspec.convert(told, Figures))


def _asked(mount: Mounted) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415  `--help` needs none of it

    told: dict[str, Any] = {"store": mount.source, "point": str(mount.point), "dead": mount.dead}
    if not told["dead"]:
        try:
            told |= msgspec.json.decode(os.getxattr(mount.point, "user.qsfs.status"))
        except (OSError, msgspec.DecodeError):
            told["error"] = "does not say"
    return told


def _row(known: dict[str, Any]) -> list[str]:
    files = known.get("files")
    row = [known["point"], known["store"]]
    if files is None:
        return [*row, known.get("error", "gone"), *["-"] * 5]
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(known["since"]))
    sizes = [_size(files[name]) for name in ("used", "free", "dirty")]
    return [*row, str(known["pid"]), since, f"{files['files']:,}", *sizes]


def _size(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1024
    return f"{number:,.1f} TiB"
