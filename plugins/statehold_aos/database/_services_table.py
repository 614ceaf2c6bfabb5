from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Connection, Table, delete, select

from statehold_aos.database._errors import AosDatabaseError
from statehold_aos.database._part import Part
from statehold_aos.database._rows import Service, UsersService
from statehold_aos.database._schema import TABLES, WORKSPACE


class ServicesTable(Part):
    """The installed services."""

    table: ClassVar[Table] = TABLES["services"]

    def add(self, service: Service) -> None:
        """Add a service; `ExistsError` if there is one of its id."""
        self._add(_called(service.id), service.row())

    def update(self, service: Service) -> None:
        """Replace all of the service of that id."""
        self._change(_called(service.id), service.row(), id=service.id)

    def remove(self, service_id: str) -> None:
        """Remove a service; `InUseError` while users have it."""
        self._remove(id=service_id)

    def remove_with_users(self, service_id: str) -> list[UsersService]:
        """Remove a service from all users and then itself, and return what the users had of it.

        All of it happens or none, so no storage folder is forgotten.
        """
        users = TABLES["users"]
        theirs = (users.c[WORKSPACE] == self._workspace, users.c.serviceid == service_id)

        def work(connection: Connection) -> list[UsersService]:
            rows = connection.execute(select(users).where(*theirs)).mappings().all()
            connection.execute(delete(users).where(*theirs))
            connection.execute(delete(self.table).where(*self._where({"id": service_id})))
            return [UsersService.of(row) for row in rows]

        return self._runner.write(work)

    def get(self, service_id: str) -> Service:
        """Return the service of that id."""
        return Service.of(self._one(_called(service_id), id=service_id))

    def all(self) -> list[Service]:
        """Return all services, by id."""
        return [Service.of(row) for row in self._all(self._select())]

    def of_provider(self, provider: str) -> list[Service]:
        """Return the services of a provider, by id."""
        return [Service.of(row) for row in self._all(self._select(serviceProvider=provider))]

    def by_unit(self, unit: str) -> Service:
        """Return the service of a unit of systemd; an error if several have it."""
        rows = self._all(self._select(unit=unit).limit(2))
        if not rows:
            raise self._missing(f"a service of unit {unit!r}")
        if len(rows) > 1:
            raise AosDatabaseError(
                f"expected one service of unit {unit!r}, got {rows[0]['id']!r} and {rows[1]['id']!r}"
            )
        return Service.of(rows[0])

    def set_status(self, service_id: str, status: int) -> None:
        """Set one of `ServiceStatus`."""
        self._change(_called(service_id), {"status": int(status)}, id=service_id)

    def set_state(self, service_id: str, state: int) -> None:
        """Set one of `ServiceState`."""
        self._change(_called(service_id), {"state": int(state)}, id=service_id)

    def set_start_time(self, service_id: str, milliseconds: int) -> None:
        """Set when a service was started, in milliseconds since 1970."""
        self._change(_called(service_id), {"startat": milliseconds}, id=service_id)


def _called(service_id: str) -> str:
    return f"service {service_id!r}"
