from __future__ import annotations

import keyword
from collections.abc import Collection, Iterable

Path = tuple[str, ...]

#: Storages whose entity goes without saying, because a call has only one.
_OF_THE_CALL = ("sys.Result",)


def attribute_paths(
    package: str, uses: Iterable[tuple[str, str | None]], *, reserved: Collection[str]
) -> dict[tuple[str, str | None], Path]:
    """Return by which attributes of its call an extension of *package* reaches what it uses.

    What is of its own package or of `sys` has its plain name, anything else stands below its package:
    `("View", "Turnover")`, `("crm", "Contacts")`, `("Record", "crm", "Customer")`. A name that Python or
    the call has taken gets an underscore at its end.
    """
    uses = list(uses)
    own = {storage.partition(".")[2] for storage, _ in uses if storage.startswith(f"{package}.")}
    paths: dict[tuple[str, str | None], Path] = {}
    for storage, entity in uses:
        path = _plain(storage, package, () if storage.startswith(f"{package}.") else own)
        if entity is not None and storage not in _OF_THE_CALL:
            path += _plain(entity, package, ())
        paths[storage, entity] = (
            _free(path[0], reserved),
            *(_free(name, ()) for name in path[1:]),
        )
    return _apart(paths)


def _plain(qualified: str, package: str, taken: Collection[str]) -> Path:
    home, _, name = qualified.partition(".")
    return (name,) if home == package or (home == "sys" and name not in taken) else (home, name)


def _free(name: str, reserved: Collection[str]) -> str:
    return f"{name}_" if keyword.iskeyword(name) or name in reserved else name


def _apart(paths: dict[tuple[str, str | None], Path]) -> dict[tuple[str, str | None], Path]:
    """Let no storage stand where a package does."""
    leaves = set(paths.values())
    return {
        use: tuple(
            f"{name}_" if path[: end + 1] in leaves and end + 1 < len(path) else name
            for end, name in enumerate(path)
        )
        for use, path in paths.items()
    }
