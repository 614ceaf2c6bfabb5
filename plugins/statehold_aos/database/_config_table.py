from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import Connection, Table

from statehold_aos.database._part import Part
from statehold_aos.database._schema import TABLES, WORKSPACE
from statehold_aos.database._statements import upsert


class ConfigTable(Part):
    """The one row of the system's state: its version, the place in the journal, and an upgrade under way."""

    table: ClassVar[Table] = TABLES["config"]

    def operation_version(self) -> int:
        """Return the version of what the system keeps on its disk."""
        return int(self._get("version", "the operation version"))

    def set_operation_version(self, version: int) -> None:
        """Set it."""
        self._set("version", version)

    def journal_cursor(self) -> str:
        """Return how far the system's journal has been read."""
        return str(self._get("cursor", "the journal cursor"))

    def set_journal_cursor(self, cursor: str) -> None:
        """Set it."""
        self._set("cursor", cursor)

    def upgrade_state(self) -> int:
        """Return how far an upgrade of the system is."""
        return int(self._get("upgradeState", "the upgrade state"))

    def set_upgrade_state(self, state: int) -> None:
        """Set it."""
        self._set("upgradeState", state)

    def upgrade_data(self) -> bytes:
        """Return what an upgrade of the system has to remember."""
        return bytes(self._get("upgradeData", "the upgrade data"))

    def set_upgrade_data(self, data: bytes) -> None:
        """Set it."""
        self._set("upgradeData", data)

    def upgrade_version(self) -> int:
        """Return the version that an upgrade of the system leads to."""
        return int(self._get("upgradeVersion", "the upgrade version"))

    def set_upgrade_version(self, version: int) -> None:
        """Set it."""
        self._set("upgradeVersion", version)

    def _get(self, column: str, what: str) -> Any:
        value = self._one(what)[column]
        if value is None:
            raise self._missing(what)
        return value

    def _set(self, column: str, value: object) -> None:
        row = {WORKSPACE: self._workspace, column: value}

        def work(connection: Connection) -> None:
            connection.execute(upsert(connection, self.table, (WORKSPACE,), (column,)), row)

        self._runner.write(work)
