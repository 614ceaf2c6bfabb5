from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from statehold.sdk import IStateStorage, StorageContext
from statehold_aos._databases import Databases, Lease
from statehold_aos._service_storage._names import folder_name
from statehold_aos._sharing import Shared
from statehold_aos._state._config import ServiceStateConfig
from statehold_aos._state._facts import Rule
from statehold_aos._state._protocol import Protocol
from statehold_aos._state._settings import Settings
from statehold_aos._state._sharing import Common
from statehold_aos._state._states import States
from statehold_aos._state._storage import ServiceState
from statehold_aos._state._store import Store
from statehold_aos._state._watch import Quiet
from statehold_aos._storage._opening import HOME, lease, place_of
from statehold_aos.database import Place
from statehold_aos.gateway import IN_PROCESS, ClaimId, Gateway, GatewayError, Options, open_gateway

_FILE: Final = "aos.db"


def open_storage(ctx: StorageContext, databases: Databases, common: Common) -> IStateStorage:
    """Open the states of one partition, and look after them from now on.

    Raises:
        StorageError: the database cannot be opened.

    """
    config: ServiceStateConfig = ctx.config or ServiceStateConfig()
    alone = not config.Database and HOME not in ctx.storages
    place = Place.of(_FILE, folder=ctx.data_folder) if alone else place_of(ctx)
    settings = Settings(
        protocol=Protocol(
            rule=Rule(config.Conflict),
            first=config.ResendMilliseconds,
            longest=config.ResendLimitMilliseconds,
        ),
        quiet=Quiet(seconds=config.QuietMilliseconds / 1000, most=config.LongestMilliseconds / 1000),
        folder_of=_folder_of(ctx),
        default_limit=config.DefaultLimit,
        hold=config.WrongState == "hold",
    )
    home = f"{ctx.app}/{ctx.storage}/{ctx.partition}"
    taken = lease(ctx, place, databases)

    def make() -> Shared[States, Settings]:
        gateway = _gateway(ctx, config)
        try:
            store = Store(
                database=taken.database,
                home=home,
                versions=config.KeepVersions,
                now=lambda: int(ctx.clock.now() * 1000),
            )
            states = States(
                name=ctx.storage,
                store=store,
                settings=settings,
                clock=ctx.clock,
                logger=ctx.logger,
                inotify=common.inotify,
            )
        except BaseException:
            if gateway is not None:
                gateway.close()
            raise
        if gateway is not None:
            states.connect(gateway)
        return _looked_after(states, taken)

    try:
        shared = common.pool.lease((place.backend().key, home), settings, make, taken)
    except BaseException:
        taken.release()
        raise
    return ServiceState(ctx, shared)


def _looked_after(states: States, lease: Lease) -> Shared[States, Settings]:
    stop = threading.Event()
    thread = threading.Thread(target=states.run, args=(stop,), name="aos-states", daemon=True)
    thread.start()

    def end() -> None:
        stop.set()
        states.wake()
        thread.join()
        states.close()
        lease.release()

    return Shared(states, end)


def _gateway(ctx: StorageContext, config: ServiceStateConfig) -> Gateway | None:
    """Return the way to the cloud that is named, if any.

    Raises:
        GatewayError: it cannot be used.

    """
    if not config.Cloud:
        return None
    if config.Cloud != IN_PROCESS and not config.SystemId:
        raise GatewayError(
            f"{ctx.storage}: nobody says which unit this is to the cloud",
            hint='Say {"SystemId": ...} in JSONCONFIG',
        )
    options = Options(
        system=config.SystemId,
        workspace=config.Workspace,
        users=config.CloudUsers,
        largest=config.CloudMaxBytes,
        authorities=_path(config.CloudAuthorities),
        certificate=_path(config.CloudCertificate),
        key=config.CloudKey,
        user=config.CloudUser,
        password=config.CloudPassword,
        logger=ctx.logger,
    )
    return open_gateway(config.Cloud, options)


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _folder_of(ctx: StorageContext) -> Callable[[ClaimId], Path]:
    """Return what says where the folder of a claim is: in `ServiceStorage`, or in the data folder."""
    storage: Any = ctx.storages.get("ServiceStorage")
    if storage is not None:
        make: Callable[..., Any] = ctx.key_class
        return lambda claim: storage.folder(make(*claim))
    root = ctx.data_folder / "states"

    def own(claim: ClaimId) -> Path:
        folder = root / str(claim.workspace) / folder_name(claim.service) / folder_name(claim.users)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    return own
