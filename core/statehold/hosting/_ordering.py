from __future__ import annotations

from collections.abc import Mapping

from statehold.hosting._nearest import nearest


def opening_order(
    requires: Mapping[str, tuple[str, ...]],
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the storages with what each requires, required ones first, and what keeps them from it.

    A name in `requires` is one of the same package, or qualified. Storages that do not depend on each
    other keep their order.
    """
    problems: list[str] = []
    qualified: dict[str, tuple[str, ...]] = {}
    for storage, names in requires.items():
        package = storage.partition(".")[0]
        full = tuple(name if "." in name else f"{package}.{name}" for name in names)
        problems += [
            f"{storage} requires the storage {name!r}, which the app does not have. {nearest(name, requires)}"
            for name in full
            if name not in requires
        ]
        qualified[storage] = tuple(name for name in full if name in requires)
    ordered: dict[str, tuple[str, ...]] = {}
    for storage in qualified:
        _visit(storage, qualified, ordered, (), problems)
    return ordered, tuple(problems)


def _visit(
    storage: str,
    requires: Mapping[str, tuple[str, ...]],
    ordered: dict[str, tuple[str, ...]],
    path: tuple[str, ...],
    problems: list[str],
) -> None:
    if storage in path:
        circle = " -> ".join((*path[path.index(storage) :], storage))
        problems.append(f"storages require each other in a circle: {circle}")
    elif storage not in ordered:
        for name in requires[storage]:
            _visit(name, requires, ordered, (*path, storage), problems)
        ordered[storage] = requires[storage]
