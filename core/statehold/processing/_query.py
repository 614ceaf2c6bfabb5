from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from statehold.processing import _columns as columns
from statehold.processing._errors import RequestError, ResponseError, TooSlowError
from statehold.processing._failure import explained
from statehold.processing._gate import Entry
from statehold.processing._parts import Called
from statehold.processing._rendering import Renderer, tree
from statehold.processing._request import Request
from statehold.processing._rights import Permission
from statehold.processing._work import Bench
from statehold.processing.constraints import (
    NO_CONSTRAINTS,
    Constraints,
    Everything,
    Selector,
    parse_constraints,
)
from statehold.sdk import CallContext, Scope
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import AccessOperation

_OK: Final = 200


class _Enough(Exception):  # noqa: N818 - no error
    """No further result is wanted."""


class _Taker:
    """Takes the results of a query one by one, and stops it when there are enough, or time is up.

    Attributes:
        stopped: what stopped it, whatever has become of that on its way through extension and engine.

    """

    def __init__(
        self, name: str, selector: Selector | Everything, *, timeout: float, end: float, unwrap: bool
    ) -> None:
        self._name = name
        self._selector = selector
        self._timeout = timeout
        self._end = end
        self._unwrap = unwrap
        self.stopped: Exception | None = None

    def __call__(self, value: Any) -> None:
        try:
            self._selector.take(value.Value if self._unwrap else value)
        except Exception as error:
            self.stopped = error
            raise
        if self._selector.is_full:
            self.stopped = _Enough()
        elif time.perf_counter() > self._end:
            self.stopped = TooSlowError(
                f"{self._name} took longer than {self._timeout:g} s", qname=self._name, hint="Ask for less"
            )
        if self.stopped is not None:
            raise self.stopped


def run_query(
    bench: Bench,
    request: Request,
    name: str,
    args: Mapping[str, Any] | None,
    *,
    given: Mapping[str, Any] | None,
    sink: Callable[[list[Any]], None],
    timeout: float,
) -> int:
    """Run a query on the calling thread, hand its results on, and return how many there were.

    Raises:
        ProcessingError: it was refused, has failed, or took longer than *timeout* seconds.

    """
    end = time.perf_counter() + timeout
    parts = bench.parts
    called = parts.find(ExtensionKind.QUERY, name)
    entry = bench.gate.enter(parts, bench.reader, request)
    bench.gate.check(parts, entry, AccessOperation.EXECUTE, name)
    argument = called.argument.from_json(args, "args")
    selector = _selector(bench, entry, called, constraints=parse_constraints(given), sink=sink)
    if selector.is_full:
        return 0
    responses: list[tuple[int, str]] = []
    take = _Taker(name, selector, timeout=timeout, end=end, unwrap=called.returns_any)
    call = CallContext(
        scope=Scope.QUERIES,
        workspace=request.workspace,
        extension=name,
        unit=bench.reader,
        argument=argument,
        origin=request.origin,
        principal=request.principal,
        result=take,
        response=lambda status, message: responses.append((status, message)),
        time=bench.clock.now(),
    )
    runner = bench.partition.extension(name)
    state = runner.state(call)
    try:
        runner.invoke(state, call)
        state.apply_intents()
    except Exception as error:
        if take.stopped is None:
            raise explained(error, name) from error
    if take.stopped is not None and not isinstance(take.stopped, _Enough):
        raise take.stopped
    if responses and responses[-1][0] != _OK:
        status, message = responses[-1]
        raise ResponseError(message or f"{name} answered with status {status}", status=status, qname=name)
    selector.finish()
    return selector.count


def _selector(
    bench: Bench,
    entry: Entry,
    called: Called,
    *,
    constraints: Constraints,
    sink: Callable[[list[Any]], None],
) -> Selector | Everything:
    if constraints is NO_CONSTRAINTS:
        return Everything(sink, chunk=bench.settings.chunk)
    shape = called.result
    render: Callable[[Any], Any] = _as_is
    if constraints.include or constraints.keys:
        renderer = Renderer(
            bench.reader,
            entry.request.workspace,
            include=tree(constraints.include),
            keys=tree(constraints.keys),
            may_see=lambda table, fields: bench.gate.check(
                bench.parts, entry, AccessOperation.SELECT, table, fields=tuple(fields), counts=False
            ),
        )
        if shape is None:
            if constraints.include:
                raise RequestError(f"include: {called.name} returns nothing that has references")
            render = renderer.plain
        else:
            renderer.check(shape)
            of, everything = shape, Permission()
            render = lambda value: renderer.value(value, of, everything)  # noqa: E731
    return Selector(
        constraints,
        columns.of_anything(called.name) if shape is None else columns.of_shape(shape),
        render=render,
        sink=sink,
        chunk=bench.settings.chunk,
        most=bench.settings.max_results,
    )


def _as_is(value: Any) -> Any:
    return value
