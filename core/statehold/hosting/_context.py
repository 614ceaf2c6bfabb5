from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from statehold.events import PartitionData
from statehold.hosting._plan import Plan, PlannedStorage
from statehold.loading import Work
from statehold.sdk import Clock, FederationHost, IStateStorage, StorageContext, StorageLogger


class HostedContext(StorageContext):
    """Knows whether the storage has looked for the one before it."""

    __slots__ = ("_before", "takes_over")

    _before: IStateStorage | None
    takes_over: bool

    @property
    def existing(self) -> IStateStorage | None:
        """The storage of the version being replaced."""
        object.__setattr__(self, "takes_over", True)
        return self._before

    @existing.setter
    def existing(self, before: IStateStorage | None) -> None:
        object.__setattr__(self, "_before", before)
        object.__setattr__(self, "takes_over", False)

    def forget_existing(self) -> None:
        """Hold the storage before no more: each version would keep all the ones before it."""
        object.__setattr__(self, "_before", None)


def make_context(
    plan: Plan,
    planned: PlannedStorage,
    partition: int,
    *,
    logger: StorageLogger,
    work: Work,
    data_folder: Path,
    clock: Clock,
    existing: IStateStorage | None,
    storages: Mapping[str, IStateStorage],
    data: PartitionData,
    host: FederationHost,
) -> HostedContext:
    """Return what a storage of one partition is opened with."""
    return HostedContext(
        logger=logger,
        storage=planned.name,
        app=plan.app,
        version=plan.version,
        partition=partition,
        config=planned.config,
        secrets=planned.secrets,
        key=planned.rows.key_fields,
        value_fields=planned.rows.value_fields,
        value=planned.rows.value,
        key_class=planned.rows.Key,
        value_class=planned.rows.Value,
        data_folder=data_folder,
        clock=clock,
        existing=existing,
        storages=storages,
        background=work.background,
        pending=work.pending,
        allowances=planned.allowances,
        entities=planned.entities,
        data=data,
        host=host,
    )
