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
# Members of enums, each of which a call would look up for longer than it takes to use it.
_QUERY: Final = ExtensionKind.QUERY
_EXECUTE: Final = AccessOperation.EXECUTE
_SCOPE: Final = Scope.QUERIES


class _Enough(Exception):  # noqa: N818 - no error
    """No further result is wanted."""


class _Taker:
    """Takes the results of a query one by one, and stops it when there are enough, or time is up.

    Attributes:
        stopped: what stopped it, whatever has become of that on its way through extension and engine.
        status: the status that the query has answered with.
        message: the message likewise.

    """

    __slots__ = ("_called", "_end", "_selector", "_timeout", "message", "status", "stopped")

    def __init__(self, called: Called, selector: Selector | Everything, end: float, timeout: float) -> None:
        self._called = called
        self._selector = selector
        self._end = end
        self._timeout = timeout
        self.stopped: Exception | None = None
        self.status = _OK
        self.message = ""

    def __call__(self, value: Any) -> None:
        try:
            self._selector.take(value.Value if self._called.returns_any else value)
        except Exception as error:
            self.stopped = error
            raise
        if self._selector.is_full:
            self.stopped = _Enough()
        elif time.perf_counter() > self._end:
            name = self._called.name
            self.stopped = TooSlowError(
                f"{name} took longer than {self._timeout:g} s", qname=name, hint="Ask for less"
            )
        if self.stopped is not None:
            raise self.stopped

    def respond(self, status: int, message: str) -> None:
        """Take the status and message of the answer; the last ones hold."""
        self.status, self.message = status, message


def run_query(
    bench: Bench,
    request: Request,
    name: str,
    args: Mapping[str, Any] | None,
    *,
    given: Mapping[str, Any] | None,
    sink: Callable[[list[Any]], None],
    began: float,
    timeout: float,
) -> int:
    """Run a query on the calling thread, hand its results on, and return how many there were.

    Raises:
        ProcessingError: it was refused, has failed, or took longer than *timeout* seconds from *began* on.

    """
    parts = bench.parts
    called = parts.find(_QUERY, name)
    entry = bench.gate.enter(parts, bench.reader, request)
    bench.gate.check(parts, entry, _EXECUTE, name)
    argument = called.argument.from_json(args, "args")
    if given:
        selector = _selector(bench, entry, called, constraints=parse_constraints(given), sink=sink)
    else:
        selector = Everything(sink, chunk=bench.settings.chunk)
    if selector.is_full:
        return 0
    take = _Taker(called, selector, began + timeout, timeout)
    call = CallContext(
        scope=_SCOPE,
        workspace=request.workspace,
        extension=name,
        unit=bench.reader,
        argument=argument,
        origin=request.origin,
        principal=request.principal,
        result=take,
        response=take.respond,
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
    if take.status != _OK:
        raise ResponseError(
            take.message or f"{name} answered with status {take.status}", status=take.status, qname=name
        )
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
