from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import click

from statehold.cli import Output, common

#: A folder is in use for a moment when the kernel's pages are fetched, or somebody looks at it.
_TRIES: Final = 20
_PAUSE: Final = 0.1


@click.command("umount")
@click.argument("point", type=click.Path(path_type=Path))
@click.option("--lazy", is_flag=True, help="Take it away though it is in use.")
@click.option("--wait", type=float, default=600.0, show_default=True, help="Seconds to wait for its process.")
@common
def umount(out: Output, point: Path, lazy: bool, wait: float) -> None:  # noqa: FBT001
    """Unmount what is mounted at POINT, and wait until all of it is on the disk.

    POINT may also be the folder of the store.
    """
    from statehold_qsfs.mount import (  # noqa: PLC0415  `--help` needs none of it
        KIND,
        MountError,
        at,
        claim_of,
        of,
        unmount,
    )

    place = point.resolve()
    mounts = [each for each in (at(place), *of(place)) if each is not None and each.kind == KIND]
    if not mounts:
        raise MountError(f"{point}: nothing of QSFS is mounted there", hint="statehold qsfs status")
    for each in mounts:
        dead = each.dead
        for left in reversed(range(_TRIES)):
            try:
                unmount(each.point, lazily=lazy or dead)
                break
            except MountError:
                if not left:
                    raise
            time.sleep(_PAUSE)
        store = Path(each.source)
        with out.progress(f"{each.point}: what is in memory goes to the disk, and to backends"):
            ended = _ended(store, wait)
        if not ended:
            claim = claim_of(store)
            raise MountError(
                f"{each.point} is unmounted, and after {wait:g} seconds process "
                f"{claim.pid if claim else '?'} still has {store}",
                hint="It writes, or sends what its backends lack, or its files are still in use: wait for it",
            )
        out.done(f"{each.point} is unmounted" + (": its process was gone" if dead else ""))
    out.document({"unmounted": [str(each.point) for each in mounts]})


def _ended(store: Path, seconds: float) -> bool:
    """Wait until nobody has the store any more."""
    from statehold_qsfs.mount import claim_of  # noqa: PLC0415  `--help` needs none of it

    end = time.monotonic() + seconds
    while (claim := claim_of(store)) is not None and claim.alive:
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE / 5)
    return True
