from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import attrs
from sqlalchemy import Delete, RowMapping, Select, Table, Update, delete, insert, select, update

from statehold_aos.database._errors import ExistsError, NotExistError
from statehold_aos.database._runner import Runner
from statehold_aos.database._schema import WORKSPACE


@attrs.frozen
class Part:
    """One table as one workspace sees it; values are always parameters, never a part of the SQL."""

    _runner: Runner
    _workspace: int

    table: ClassVar[Table]

    def _select(self, **where: Any) -> Select[Any]:
        return select(self.table).where(*self._where(where)).order_by(*self.table.primary_key.columns)

    def _all(self, statement: Select[Any]) -> Sequence[RowMapping]:
        return self._runner.read(lambda connection: connection.execute(statement).mappings().all())

    def _one(self, what: str, **where: Any) -> RowMapping:
        statement = select(self.table).where(*self._where(where))
        row = self._runner.read(lambda connection: connection.execute(statement).mappings().first())
        if row is None:
            raise self._missing(what)
        return row

    def _add(self, what: str, row: dict[str, Any]) -> None:
        statement = insert(self.table).values({WORKSPACE: self._workspace, **row})
        try:
            self._runner.write(lambda connection: connection.execute(statement).rowcount)
        except ExistsError as error:
            raise ExistsError(
                f"{what} exists already in workspace {self._workspace}", hint="Update it"
            ) from error

    def _change(self, what: str, values: dict[str, Any], **where: Any) -> None:
        statement = update(self.table).where(*self._where(where)).values(values)
        if not self._rows(statement):
            raise self._missing(what)

    def _remove(self, **where: Any) -> None:
        self._rows(delete(self.table).where(*self._where(where)))

    def _rows(self, statement: Update | Delete) -> int:
        return self._runner.write(lambda connection: connection.execute(statement).rowcount)

    def _where(self, where: dict[str, Any]) -> list[Any]:
        own = self.table.c[WORKSPACE] == self._workspace
        return [own, *(self.table.c[name] == value for name, value in where.items())]

    def _missing(self, what: str) -> NotExistError:
        return NotExistError(f"{what} does not exist in workspace {self._workspace}")
