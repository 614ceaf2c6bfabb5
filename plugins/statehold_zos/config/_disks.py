from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from statehold_zos.config._fields import choice, read_size, texts
from statehold_zos.model import DiskType, Image, Plain
from statehold_zstor.config import Table


@attrs.frozen(kw_only=True)
class Disks:
    """What the operator allows to be written."""

    devices: tuple[str, ...]
    images: tuple[Image, ...]
    plain: tuple[Plain, ...]
    types: Mapping[str, DiskType]


def disks_of(top: Table) -> Disks | None:
    """Return the disks that a configuration names; None where something is wrong with them."""
    before = len(top.problems)
    seen: dict[str, str] = {}
    types: dict[str, DiskType] = {}
    devices = tuple(_devices(top, seen))
    images = tuple(Image(path=path, size=size) for path, size in _files(top, "images", seen, types))
    plain = tuple(Plain(path=path, size=size) for path, size in _files(top, "plain", seen, types))
    _overrides(top, seen, types)
    if not seen and len(top.problems) == before:
        top.add("devices", "name at least one disk: devices = [...], or [[images]], or [[plain]]")
    if len(top.problems) > before:
        return None
    return Disks(devices=devices, images=images, plain=plain, types=types)


def _devices(top: Table, seen: dict[str, str]) -> Iterator[str]:
    for number, path in enumerate(texts(top, "devices")):
        if not path.startswith("/dev/"):
            top.add("devices", f"expected a path such as '/dev/sdb', got {path!r}")
        elif path in seen:
            top.add("devices", f"{path} is named twice")
        else:
            seen[path] = f"devices[{number}]"
            yield path


def _files(
    top: Table, name: str, seen: dict[str, str], types: dict[str, DiskType]
) -> Iterator[tuple[Path, int]]:
    for table in top.tables(name) if top.has(name) else ():
        path, size = table.file("path"), read_size(table, "size")
        kind = choice(table, "type", DiskType, DiskType.SSD) if table.has("type") else None
        table.done()
        if path is None:
            if table.value("path") in (None, ""):
                table.add("path", "is missing")
            continue
        disk = os.path.normpath(path)
        if disk in seen:
            table.add("path", f"{disk} is {seen[disk]} already")
            continue
        seen[disk] = table.path
        if kind is not None:
            types[disk] = kind
        yield Path(disk), size


def _overrides(top: Table, seen: Mapping[str, str], types: dict[str, DiskType]) -> None:
    """Read `[types]`, which says of disks what they are, instead of measuring."""
    table = top.table("types")
    if table is None:
        return
    for name in table.names:
        disk = os.path.normpath(top.problems.folder / name)
        kind = choice(table, name, DiskType, DiskType.SSD)
        if disk not in seen:
            table.add(name, "is none of the disks of this configuration")
        elif disk in types:
            table.add(name, f"{seen[disk]} has a type already")
        else:
            types[disk] = kind
