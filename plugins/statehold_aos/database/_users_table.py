from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from sqlalchemy import Table, and_, select

from statehold_aos.database._claim import users_text
from statehold_aos.database._part import Part
from statehold_aos.database._rows import Service, UsersService
from statehold_aos.database._schema import TABLES, WORKSPACE


class UsersTable(Part):
    """Which user claim has which service; a claim is a list of users, and their order counts."""

    table: ClassVar[Table] = TABLES["users"]

    def add_service(self, users: Iterable[str], service_id: str) -> None:
        """Give a service to a claim.

        Raises:
            ExistsError: the claim has it.
            InUseError: there is no such service.

        """
        text = users_text(users)
        self._add(_called(text, service_id), UsersService(users=text, service_id=service_id).row())

    def remove_service(self, users: Iterable[str], service_id: str) -> None:
        """Take a service from a claim."""
        self._remove(users=users_text(users), serviceid=service_id)

    def remove_service_from_all(self, service_id: str) -> None:
        """Take a service from all claims."""
        self._remove(serviceid=service_id)

    def get(self, users: Iterable[str], service_id: str) -> UsersService:
        """Return what a claim has of a service."""
        text = users_text(users)
        return UsersService.of(self._one(_called(text, service_id), users=text, serviceid=service_id))

    def of_service(self, service_id: str) -> list[UsersService]:
        """Return what all claims have of a service."""
        return [UsersService.of(row) for row in self._all(self._select(serviceid=service_id))]

    def services(self, users: Iterable[str]) -> list[Service]:
        """Return the services of a claim, by id."""
        services = TABLES["services"]
        own = and_(services.c[WORKSPACE] == self.table.c[WORKSPACE], services.c.id == self.table.c.serviceid)
        where = self._where({"users": users_text(users)})
        statement = select(services).join(self.table, own).where(*where).order_by(services.c.id)
        return [Service.of(row) for row in self._all(statement)]

    def all(self) -> list[UsersService]:
        """Return what all claims have of all services."""
        return [UsersService.of(row) for row in self._all(self._select())]

    def set_storage_folder(self, users: Iterable[str], service_id: str, folder: str) -> None:
        """Set where the files of a claim's service are."""
        self._set(users, service_id, "storageFolder", folder)

    def set_state_checksum(self, users: Iterable[str], service_id: str, checksum: bytes) -> None:
        """Set the checksum of the state that the cloud has accepted."""
        self._set(users, service_id, "stateCheckSum", checksum)

    def set_override_env_vars(self, users: Iterable[str], service_id: str, variables: str) -> None:
        """Set what stands instead of a service's environment, as JSON."""
        self._set(users, service_id, "overrideEnvVars", variables)

    def _set(self, users: Iterable[str], service_id: str, column: str, value: object) -> None:
        text = users_text(users)
        self._change(_called(text, service_id), {column: value}, users=text, serviceid=service_id)


def _called(users: str, service_id: str) -> str:
    return f"service {service_id!r} of the users {users}"
