from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statehold.cli import Output, common

if TYPE_CHECKING:
    from statehold_qsfs.files import FileSystem
    from statehold_qsfs.mount import Mounted


@click.command("snapshot")
@click.argument("place", type=click.Path(path_type=Path))
@click.argument("name", required=False)
@click.option("--list", "listed", is_flag=True, help="Show the snapshots, the oldest first.")
@click.option("--delete", metavar="NAME", help="Forget a snapshot, and free what only it needs.")
@common
def snapshot(out: Output, place: Path, name: str | None, listed: bool, delete: str | None) -> None:  # noqa: FBT001
    """Keep all files as they are now, as the snapshot NAME.

    PLACE is a mount point, or the folder of a store, mounted or not. `mount --snapshot NAME` shows what was
    kept.
    """
    from statehold_qsfs.mount import KIND, MountError, at, of, opened  # noqa: PLC0415

    if sum((name is not None, listed, delete is not None)) != 1:
        raise click.UsageError("expected one of NAME, --list and --delete NAME")
    where = place.resolve()
    here = at(where)
    mounts = [here] if here is not None and here.kind == KIND else of(where)
    try:
        if mounts:
            found = _of_mount(mounts[-1], name, delete)
        elif (where / "data").is_dir():
            with opened(where) as files:
                found = _of_store(files, name, delete)
        else:
            raise MountError(f"{place}: there is no store, and nothing of QSFS is mounted there")
    except OSError as error:
        wanted = name or delete or "its snapshots"
        raise MountError(f"{place}: {wanted}: {error.strerror or error}") from error
    out.document({"snapshots": found})
    if not listed:
        out.done(f"{place}: {name} is kept" if name is not None else f"{place}: {delete} is deleted")
        return
    if not found:
        out.line(f"{place} has no snapshots")
        return
    from rich.table import Table  # noqa: PLC0415

    shown = Table("NAME", "MADE", box=None)
    for each in found:
        made = time.localtime(each["made"] / 1e9)
        shown.add_row(each["name"], time.strftime("%Y-%m-%d %H:%M:%S", made))
    out.table(shown)


def _of_mount(mount: Mounted, name: str | None, delete: str | None) -> list[dict[str, Any]]:
    import msgspec  # noqa: PLC0415  `--help` needs none of it

    from statehold_qsfs.mount import SNAPSHOT, SNAPSHOT_DELETE, MountError  # noqa: PLC0415

    if mount.dead:
        raise MountError(f"{mount.point}: its process is gone", hint=f"statehold qsfs umount {mount.point}")
    if name is not None:
        # What programs have written may still be the kernel's alone.
        command = ["sync", "--file-system", str(mount.point)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise MountError(f"{mount.point}: not all that was written could be kept: {done.stderr.strip()}")
        os.setxattr(mount.point, SNAPSHOT, os.fsencode(name))
    if delete is not None:
        os.setxattr(mount.point, SNAPSHOT_DELETE, os.fsencode(delete))
    told: dict[str, Any] = msgspec.json.decode(os.getxattr(mount.point, "user.qsfs.status"))
    snapshots: list[dict[str, Any]] = told["snapshots"]
    return snapshots


def _of_store(files: FileSystem, name: str | None, delete: str | None) -> list[dict[str, Any]]:
    if name is not None:
        files.snapshot(name)
    if delete is not None:
        files.delete_snapshot(delete)
    return [{"name": each.name, "made": each.made} for each in files.snapshots()]
