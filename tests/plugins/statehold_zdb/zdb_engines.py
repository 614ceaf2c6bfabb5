from __future__ import annotations

from pathlib import Path

from statehold_zdb.engine import Engine, EngineOptions

#: The smallest that a segment can be.
SEGMENT = 512 * 1024


def opened(folder: Path, *plugins: object, **options: object) -> Engine:
    return Engine(folder / "data", folder / "index", options=EngineOptions(**options), plugins=plugins)


def contents(namespace) -> dict[bytes, bytes]:
    return {key: namespace.get(key) for key in namespace.keys()}  # noqa: SIM118


def scanned(namespace, *, backward: bool = False, limit: int = 7) -> list[bytes]:
    found, cursor = [], None
    while (page := namespace.scan(cursor, backward=backward, limit=limit)) is not None:
        found += [each.key for each in page.found]
        cursor = page.cursor
    return found


def data_file(folder: Path, number: int = 0, name: str = "default") -> Path:
    return folder / "data" / name / f"d{number}"


def index_file(folder: Path, number: int = 0, name: str = "default") -> Path:
    return folder / "index" / name / f"i{number}"
