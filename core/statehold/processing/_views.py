from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, Final

import attrs
import msgspec

from statehold.events import ViewShape
from statehold.processing import _columns as columns
from statehold.processing._errors import RequestError, UnknownError
from statehold.processing._rendering import picked, tree
from statehold.processing._request import Request
from statehold.processing._rights import Permission
from statehold.processing._work import Bench
from statehold.processing.constraints import Columns, Constraints, Selector, fixed, parse_constraints
from statehold.sdk import Key, SchemaError, Value
from statehold_vsql.appdef import AccessOperation

#: How many partitions of a view one request may read.
_MOST: Final = 1000


def read_view(
    bench: Bench,
    request: Request,
    name: str,
    *,
    given: Mapping[str, Any] | None,
    sink: Callable[[list[Any]], None],
) -> int:
    """Hand on the rows of a view that a request wants, and return how many there were.

    They come in the order of the clustering columns, for one partition after the other, or as `order` says.

    Raises:
        ProcessingError: it was refused.

    """
    parts = bench.parts
    shape = parts.schemas.find(name)
    if not isinstance(shape, ViewShape):
        raise UnknownError(f"{parts.app} has no view {name!r:.200}", qname=name[:200])
    entry = bench.gate.enter(parts, bench.reader, request)
    constraints = parse_constraints(given)
    wanted = {path[0] for path in constraints.keys}
    wanted.update(one.field for one in constraints.order)
    wanted.update(one.field for one in constraints.where)
    permission = bench.gate.check(parts, entry, AccessOperation.SELECT, name, fields=wanted)
    if constraints.include:
        raise RequestError(f"include: rows of {name} have nothing inside of them", qname=name)
    known = columns.of_view(shape)
    for path in constraints.keys:
        known.get("keys", path[0])
    prefixes = list(_prefixes(shape, known, constraints, request.workspace))
    reverse = _natural(constraints, shape) if len(prefixes) < 2 else None
    if reverse is not None:
        constraints = attrs.evolve(constraints, order=())
    selector = Selector(
        constraints,
        known,
        render=_renderer(constraints, permission),
        sink=sink,
        chunk=bench.settings.chunk,
        most=bench.settings.max_results,
    )
    for prefix, start, stop in prefixes:
        if selector.is_full:
            break
        for row in bench.reader.read_view(prefix, start=start, stop=stop, reverse=bool(reverse)):
            selector.take(row)
            if selector.is_full:
                break
    selector.finish()
    return selector.count


_Part = tuple[Key, tuple[Any, ...], tuple[Any, ...] | None]


def _prefixes(shape: ViewShape, known: Columns, constraints: Constraints, workspace: int) -> Iterator[_Part]:
    """Yield what to read: the prefixes of keys, each with where to start and to stop."""
    choices: dict[str, list[Any]] = {}
    for name in shape.partition_key:
        values = fixed(constraints.where, known, name)
        if values is None:
            raise RequestError(
                f"where: {shape.name} is read by its whole partition key, and {name} is missing",
                qname=shape.name,
                hint=f'Fix each of {", ".join(shape.partition_key)}: {{"{name}": ...}} or with $in',
            )
        choices[name] = [value for value in values if value is not None]
    start: tuple[Any, ...] = ()
    stop: tuple[Any, ...] | None = None
    for name in shape.clustering_columns:
        values = fixed(constraints.where, known, name)
        if values is None or len(values) != 1 or values[0] is None:
            start, stop = _bounds(constraints, known, name)
            break
        choices[name] = values
    count = 1
    for several in choices.values():
        count *= len(several)
    if count > _MOST:
        raise RequestError(
            f"where: {count} partitions of {shape.name} are too many for one request", hint=f"At most {_MOST}"
        )
    for chosen in product(*choices.values()):
        try:
            prefix = shape.rows.prefix(workspace, **dict(zip(choices, chosen, strict=True)))
        except SchemaError as error:
            # Of the right type, and more than the column holds.
            raise RequestError(f"where: {error.message}", qname=shape.name) from error
        yield prefix, start, stop


def _bounds(
    constraints: Constraints, known: Columns, name: str
) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
    """Return where rows can begin and end by what is said of one column; `where` is looked at for each."""
    low: list[Any] = []
    high: list[Any] = []
    for condition in constraints.where:
        if condition.field == name and condition.value is not None:
            if condition.operator in ("$gt", "$gte"):
                low.append(known.get("where", name).literal("where", condition.value))
            elif condition.operator == "$lt":
                high.append(known.get("where", name).literal("where", condition.value))
    return (max(low),) if low else (), (min(high),) if high else None


def _natural(constraints: Constraints, shape: ViewShape) -> bool | None:
    """Return whether rows are to be read in reverse to come as `order` says; None if they never do."""
    order = constraints.order
    names = shape.clustering_columns
    if [one.field for one in order] != list(names[: len(order)]):
        return None
    ways = {one.descending for one in order}
    return None if len(ways) > 1 else ways == {True}


def _renderer(
    constraints: Constraints, permission: Permission
) -> Callable[[tuple[Key, Value]], dict[str, Any]]:
    keys = tree(constraints.keys)

    def render(row: tuple[Key, Value]) -> dict[str, Any]:
        made: dict[str, Any] = msgspec.to_builtins(row[0])
        made.pop("WSID", None)
        made.update(msgspec.to_builtins(row[1]))
        if permission.fields is not None:
            made = {name: one for name, one in made.items() if name in permission.fields}
        return picked(made, keys)

    return render
