from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from statehold.events import TableShape
from statehold.processing import _columns as columns
from statehold.processing._errors import NotAllowedError, RequestError, UnknownError
from statehold.processing._gate import Entry
from statehold.processing._rendering import Renderer, tree
from statehold.processing._request import Request
from statehold.processing._rights import Permission
from statehold.processing._tables import table
from statehold.processing._work import Bench
from statehold.processing.constraints import Constraints, Selector, orders_like, parse_constraints
from statehold_vsql.appdef import AccessOperation

_ACTIVE: Final = "sys.IsActive"


def read_document(
    bench: Bench,
    request: Request,
    name: str,
    record: int | None,
    *,
    given: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return one record, that of a singleton where *record* is None, also if it is not active.

    Raises:
        ProcessingError: it was refused, or there is none.

    """
    shape, entry, constraints = _enter(bench, request, name, given)
    if constraints.order or constraints.where or constraints.skip or constraints.limit is not None:
        raise RequestError(f"one record of {name} is read: only include and keys say anything", qname=name)
    permission, renderer = _renderer(bench, entry, shape, constraints)
    if record is None:
        if not shape.is_singleton:
            raise NotAllowedError(f"{name} is no singleton: its records are read by their ids", qname=name)
        value = bench.reader.singleton(request.workspace, shape)
    else:
        value = bench.reader.record(request.workspace, record, shape)
    if value is None or value.sys_QName != name:  # type: ignore[attr-defined]
        which = "record" if record is None else str(record)
        raise UnknownError(f"there is no {name} {which} in workspace {request.workspace}", qname=name)
    return renderer.value(value, shape, permission)


def read_documents(
    bench: Bench,
    request: Request,
    name: str,
    *,
    given: Mapping[str, Any] | None,
    sink: Callable[[list[Any]], None],
) -> int:
    """Hand on the documents of a CDoc table that a request wants, and return how many there were.

    They come in the order of their ids. Those that are not active come only where `where` says something
    of `sys.IsActive`.

    Raises:
        ProcessingError: it was refused.

    """
    shape, entry, constraints = _enter(bench, request, name, given)
    if not shape.is_listed:
        raise NotAllowedError(
            f"{name} is a {shape.kind}: only the records of a CDoc table can be listed",
            qname=name,
            hint="Let a projector fill a view",
        )
    permission, renderer = _renderer(bench, entry, shape, constraints)
    only_active = all(one.field != _ACTIVE for one in constraints.where)
    if orders_like(constraints.order, ["sys.ID"]):
        constraints = attrs.evolve(constraints, order=())
    selector = Selector(
        constraints,
        columns.of_shape(shape),
        render=lambda value: renderer.value(value, shape, permission),
        sink=sink,
        chunk=bench.settings.chunk,
        most=bench.settings.max_results,
    )
    if not selector.is_full:
        for value in bench.reader.documents(request.workspace, shape):
            if only_active and value.sys_IsActive is False:  # type: ignore[attr-defined]
                continue
            selector.take(value)
            if selector.is_full:
                break
    selector.finish()
    return selector.count


def _enter(
    bench: Bench, request: Request, name: str, given: Mapping[str, Any] | None
) -> tuple[TableShape, Entry, Constraints]:
    shape = table(bench.parts, name)
    return shape, bench.gate.enter(bench.parts, bench.reader, request), parse_constraints(given)


def _renderer(
    bench: Bench, entry: Entry, shape: TableShape, constraints: Constraints
) -> tuple[Permission, Renderer]:
    wanted = {path[0] for path in (*constraints.keys, *constraints.include)}
    wanted.update(one.field for one in constraints.order)
    wanted.update(one.field for one in constraints.where)
    permission = bench.gate.check(
        bench.parts, entry, AccessOperation.SELECT, shape.name, fields=sorted(wanted)
    )
    known = columns.of_shape(shape)
    for path in constraints.keys:
        known.get("keys", path[0])
    renderer = Renderer(
        bench.reader,
        entry.request.workspace,
        include=tree(constraints.include),
        keys=tree(constraints.keys),
        may_see=lambda other, fields: bench.gate.check(
            bench.parts, entry, AccessOperation.SELECT, other, fields=tuple(fields), counts=False
        ),
    )
    renderer.check(shape)
    return permission, renderer
