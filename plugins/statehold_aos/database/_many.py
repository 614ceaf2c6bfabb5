from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

import attrs
from sqlalchemy import Connection

from statehold_aos.database._driver import run_on_driver


@attrs.define(eq=False)
class Many:
    """A statement that is run for many rows, often.

    On SQLite, where values go to the driver as they are, it goes past what prepares them one by one.

    Args:
        make: makes the statement for a connection.
        names: what each row gives it, in this order.

    """

    _make: Callable[[Connection], Any]
    _names: Sequence[str]
    _statements: dict[str, Any] = attrs.field(factory=dict, init=False)
    _text: str = attrs.field(default="", init=False)
    #: Makes what the driver wants of a row; None: it is that already.
    _values: Callable[[Sequence[Any]], Sequence[Any]] | None = attrs.field(default=None, init=False)

    def __call__(self, connection: Connection, rows: Iterable[Sequence[Any]]) -> None:
        """Run it for *rows*, in their order."""
        name = connection.dialect.name
        statement = self._statements.get(name)
        if statement is None:
            statement = self._statements[name] = self._make(connection)
        if name != "sqlite":
            if given := [dict(zip(self._names, row, strict=True)) for row in rows]:
                connection.execute(statement, given)
            return
        if not self._text:
            compiled = statement.compile(dialect=connection.dialect, column_keys=list(self._names))
            order: Sequence[str] = compiled.positiontup
            fixed = {key: value for key, value in compiled.params.items() if key not in self._names}
            if list(order) != list(self._names):
                # What is the same for all comes behind what a row gives.
                places = [*self._names, *fixed]
                more, pick = tuple(fixed.values()), itemgetter(*map(places.index, order))
                self._values = lambda row: pick((*row, *more))
            self._text = str(compiled)
        # One after the other, so that they are not all there at once.
        run_on_driver(connection, self._text, rows if self._values is None else map(self._values, rows))
