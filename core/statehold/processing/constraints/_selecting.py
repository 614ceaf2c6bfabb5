from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from statehold.processing._errors import RequestError
from statehold.processing.constraints._columns import Columns
from statehold.processing.constraints._parse import Constraints, Order
from statehold.processing.constraints._where import compile_where

_FIRST_CHUNK: Final = 16


class Selector:
    """Takes results one by one and hands on those that are wanted, in chunks; the first ones soon.

    Args:
        constraints: what is wanted.
        columns: what the results have.
        render: makes of a result what is handed on.
        sink: takes the chunks.
        chunk: how many results a chunk has at most.
        most: how many results may be held for `order`.

    Attributes:
        is_full: whether no further result is wanted.
        count: how many results have been handed on.

    Raises:
        RequestError: a constraint names what the results do not have, or does not fit its type.

    """

    def __init__(
        self,
        constraints: Constraints,
        columns: Columns,
        *,
        render: Callable[[Any], Any],
        sink: Callable[[list[Any]], None],
        chunk: int,
        most: int,
    ) -> None:
        self._test = compile_where(constraints.where, columns)
        self._orders = [(columns.get("order", one.field), one) for one in constraints.order]
        for column, _ in self._orders:
            column.check_plain("order")
        self._render = render
        self._sink = sink
        self._chunk = chunk
        self._most = most
        self._left = constraints.limit
        self._skip = constraints.skip
        self._held: list[Any] = []
        self._buffer: list[Any] = []
        self._size = min(chunk, _FIRST_CHUNK)
        self.is_full = constraints.limit == 0
        self.count = 0

    def take(self, result: Any) -> None:
        """Take the next result."""
        if self.is_full or (self._test is not None and not self._test(result)):
            return
        if not self._orders:
            self._give(result)
            return
        if len(self._held) >= self._most:
            raise RequestError(
                f"order: there are more than {self._most} results to order",
                hint="Narrow them with where, or leave out order",
            )
        self._held.append(result)

    def finish(self) -> None:
        """Hand on what is left; no result comes any more."""
        for column, order in reversed(self._orders):
            self._held.sort(key=_key(column.read), reverse=order.descending)
        for result in self._held:
            if self.is_full:
                break
            self._give(result)
        self._held = []
        self._flush()

    def _give(self, result: Any) -> None:
        if self._skip:
            self._skip -= 1
            return
        self._buffer.append(self._render(result))
        if self._left is not None:
            self._left -= 1
            self.is_full = self._left == 0
        if len(self._buffer) >= self._size:
            self._flush()
            self._size = self._chunk

    def _flush(self) -> None:
        if self._buffer:
            chunk, self._buffer = self._buffer, []
            self.count += len(chunk)
            self._sink(chunk)


class Everything:
    """Hands on every result as it is, in chunks; the first ones soon: a `Selector` without constraints."""

    __slots__ = ("_buffer", "_chunk", "_sink", "_size", "count", "is_full")

    def __init__(self, sink: Callable[[list[Any]], None], *, chunk: int) -> None:
        self._sink = sink
        self._chunk = chunk
        self._buffer: list[Any] = []
        self._size = min(chunk, _FIRST_CHUNK)
        self.is_full = False
        self.count = 0

    def take(self, result: Any) -> None:
        """Take the next result."""
        self._buffer.append(result)
        if len(self._buffer) >= self._size:
            self.finish()
            self._size = self._chunk

    def finish(self) -> None:
        """Hand on what is left."""
        if self._buffer:
            chunk, self._buffer = self._buffer, []
            self.count += len(chunk)
            self._sink(chunk)


def _key(read: Callable[[Any], Any]) -> Callable[[Any], tuple[bool, Any]]:
    def key(result: Any) -> tuple[bool, Any]:
        value = read(result)
        # NULL comes first, and is never compared with a value.
        return value is not None, value

    return key


def orders_like(order: Sequence[Order], fields: Sequence[str]) -> bool:
    """Return whether rows that come ordered by *fields* are in the wanted order already."""
    return not order or [(one.field, one.descending) for one in order] == [
        (name, False) for name in fields[: len(order)]
    ]
