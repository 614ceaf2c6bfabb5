from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from statehold_zos.config._disks import Disks, disks_of
from statehold_zos.config._errors import ConfigError
from statehold_zos.config._fields import choice, texts
from statehold_zos.model import Config, DiskType, Placement, Policy, Raid
from statehold_zstor.config import Problems, Table, lines_of

_YEAR: Final = 365 * 86_400.0


def read_config(path: Path) -> Config:
    """Return what the file says; paths in it are relative to its folder.

    Raises:
        ConfigError: it cannot be read, or says what cannot be; with all that was found.

    """
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}",
            hint="--config names another; docs/zos.md has an example",
        ) from error
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, a number or a nesting without end
        raise ConfigError(f"{path} is no TOML: {error}", problems=[str(error)]) from error
    return _parsed(table, Problems(path.absolute().parent, lines_of(text)), str(path))


def config_of(table: Mapping[str, Any], *, folder: Path, source: str = "the configuration") -> Config:
    """Return what a table says; paths in it are relative to *folder*. Raises as `read_config`."""
    return _parsed(table, Problems(folder), source)


def _parsed(data: Mapping[str, Any], problems: Problems, source: str) -> Config:
    top = Table(data, "", problems)
    folder = top.file("folder")
    if folder is None and top.value("folder") in (None, ""):
        top.add("folder", "is missing: where the node keeps its reservations, mounts, sockets and keys")
    default = Config(folder=Path("/"))
    disks = disks_of(top)
    policy = _policy(top)
    placement = choice(top, "placement", Placement, default.placement)
    over = _over_provision(top)
    grace = top.number("grace", default.grace, least=0, most=_YEAR)
    every = top.number("every", default.every, least=0.1, most=86_400)
    filling = top.number("filling", default.filling, least=0.01, most=1)
    zdb = top.file("zdb")
    if zdb is not None and not os.access(zdb, os.X_OK):
        top.add("zdb", f"expected a program, {zdb} is none")
    top.done()
    if folder is None or disks is None or policy is None or len(problems):
        raise ConfigError(
            f"{source} says what cannot be:\n" + "\n".join(f"  {line}" for line in problems.found),
            problems=problems.found,
            hint="docs/zos.md has all fields",
        )
    return _made(
        folder=Path(os.path.normpath(folder)),
        disks=disks,
        policy=policy,
        placement=placement,
        over_provision=over,
        grace=grace,
        every=every,
        filling=filling,
        zdb=zdb,
    )


def _made(*, disks: Disks, **others: Any) -> Config:
    return Config(
        devices=disks.devices, images=disks.images, plain=disks.plain, types=dict(disks.types), **others
    )


def _policy(top: Table) -> Policy | None:
    table, default = top.table("policy"), Policy()
    if table is None:
        return default
    before = len(table.problems)
    raid = choice(table, "raid", Raid, default.raid)
    disks = table.integer("disks", max(default.disks, raid.least), least=1, most=256)
    pools = table.integer("pools", default.pools)
    mixed = table.flag("mixed_sizes", default=default.mixed_sizes)
    types = tuple(
        dict.fromkeys(
            choice(table, "types", DiskType, DiskType.SSD, said=said) for said in texts(table, "types")
        )
    )
    if table.has("types") and not types and len(table.problems) == before:
        table.add("types", "names none: expected 'ssd', 'hdd' or both")
    table.done()
    if disks is None or pools is None:
        return None
    if disks % raid.least:
        table.add("disks", f"expected a multiple of {raid.least}, which {raid.value} needs, got {disks}")
    return Policy(raid=raid, disks=disks, pools=pools, types=types or default.types, mixed_sizes=mixed)


def _over_provision(top: Table) -> dict[DiskType, float]:
    table = top.table("over_provision")
    if table is None:
        return {}
    found = {
        kind: table.number(kind.value, 1.0, least=1, most=1000) for kind in DiskType if table.has(kind.value)
    }
    table.done()
    return found
