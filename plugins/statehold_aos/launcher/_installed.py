from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import attrs

from statehold.sdk import StorageError
from statehold_aos.database import NotExistError, Service, Tables, users_text
from statehold_aos.gateway import ClaimId
from statehold_aos.launcher._config import LauncherConfig
from statehold_aos.launcher._image import ServiceConfig, read_config
from statehold_aos.launcher._images import Images
from statehold_aos.launcher._journal import ServiceId
from statehold_aos.launcher._stores import Limits
from statehold_aos.launcher._unit import Wanted


@attrs.frozen(kw_only=True)
class Installed:
    """What is installed, as the database has it, with the images on the disk.

    Attributes:
        tables: the tables of a workspace.
        images: the images of the installed versions.
        settings: how the launcher is configured.

    """

    tables: Callable[[int], Tables]
    images: Images
    settings: LauncherConfig
    _configs: dict[Path, ServiceConfig] = attrs.field(factory=dict, init=False)

    def find(self, service: ServiceId) -> Service | None:
        """Return the row of a service; None where it is not installed."""
        try:
            return self.tables(service.workspace).services.get(service.service)
        except NotExistError:
            return None

    def claims(self, service: ServiceId) -> list[str]:
        """Return whose the service is, as texts of users."""
        return [row.users for row in self.tables(service.workspace).users.of_service(service.service)]

    def config(self, row: Service) -> ServiceConfig:
        """Return the `config.json` of what is installed; StorageError where it is damaged."""
        place = self.images.place(row.path)
        found = self._configs.get(place)
        if found is None or not place.is_dir():
            self._configs.pop(place, None)
            found = self._configs[place] = read_config(place)
        return found

    def remove(self, path: str) -> None:
        """Remove the image of a version."""
        place = self.images.place(path)
        self.images.remove(place)
        self._configs.pop(place, None)

    def limits(self, row: Service) -> Limits:
        """Return what a service may keep: the same for a new one, an update and one that comes back."""
        return Limits(storage=row.storage_limit, state=row.state_limit, uid=row.uid, gid=row.gid)

    def row(self, service: ServiceId, config: ServiceConfig, place: Path, before: Service | None) -> Service:
        """Return the row of a version; what a service is beyond its image stays, its user above all."""
        uid, gid = (before.uid, before.gid) if before is not None else self._owner(service, config)
        row = before or Service(id=service.service)
        return attrs.evolve(
            row,
            version=config.version,
            service_provider=config.provider,
            path=str(place),
            uid=uid,
            gid=gid,
            user="" if uid is None else str(uid),
            ttl=config.ttl_days or self.settings.TtlDays,
            storage_limit=config.quotas.storage_limit,
            state_limit=config.quotas.state_limit,
        )

    def wanted(
        self, users: Mapping[int, list[str]], turns: Mapping[ServiceId, int]
    ) -> tuple[dict[ServiceId, Wanted], dict[ServiceId, str]]:
        """Return the services of those who are there, and what is wrong with others of theirs."""
        found: dict[ServiceId, Wanted] = {}
        damaged: dict[ServiceId, str] = {}
        for workspace, who in users.items():
            text = users_text(who)
            for row in self.tables(workspace).users.services(who):
                service = ServiceId(workspace, row.id)
                try:
                    found[service] = Wanted(
                        claim=ClaimId(workspace, row.id, text),
                        place=self.images.place(row.path),
                        config=self.config(row),
                        uid=row.uid,
                        gid=row.gid,
                        turn=turns.get(service, 0),
                    )
                except StorageError as error:
                    damaged[service] = f"its image is damaged, install it again: {error.message}"
        return found, damaged

    def clean(self, also: Iterable[str] = (), *, staged: bool = False) -> list[str]:
        """Remove the images that no service has, but those of *also*; with *staged* what is half copied."""
        named = {self.images.place(path) for path in also}
        named |= {self.images.place(row.path) for row in self._rows()}
        return self.images.clean(named, staged=staged)

    def _rows(self, *also: int) -> Iterator[Service]:
        """Yield what is installed in the workspaces that have images, and in those of *also*."""
        for workspace in {*also, *(int(each.name) for each in self.images.root.glob("[0-9]*"))}:
            yield from self.tables(workspace).services.all()

    def _owner(self, service: ServiceId, config: ServiceConfig) -> tuple[int | None, int | None]:
        """Return a user that no other service has."""
        first, count = self.settings.FirstUid, self.settings.Uids
        if os.geteuid() or not count:
            if config.uid not in (None, os.geteuid()) or config.gid not in (None, os.getegid()):
                raise StorageError(
                    f"service {service.service!r} asks for a user that it cannot be given here"
                )
            return None, None
        taken = {row.uid for row in self._rows(service.workspace)}
        for asked in (config.uid, config.gid):
            if asked is not None and not first <= asked < first + count:
                raise StorageError(
                    f"service {service.service!r} asks for user or group {asked}, "
                    f"expected {first} to {first + count - 1}",
                    hint="FirstUid and Uids of the launcher say which",
                )
        if config.uid is not None:
            if config.uid in taken:
                raise StorageError(
                    f"service {service.service!r} asks for user {config.uid}, which is another service's",
                    hint="Services of one user would have each other's files: let the launcher choose",
                )
            return config.uid, config.uid if config.gid is None else config.gid
        digest = hashlib.sha256(f"{self.images.root}/{service.workspace}/{service.service}".encode()).digest()
        number = int.from_bytes(digest[:8])
        uid = next(at for n in range(count) if (at := first + (number + n) % count) not in taken)
        return uid, uid if config.gid is None else config.gid
