from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from statehold.events import PartitionData
from statehold.hosting._context import make_context
from statehold.hosting._data import AppData
from statehold.hosting._freeing import free_storages
from statehold.hosting._handover import Handover
from statehold.hosting._logger import HostedLogger
from statehold.hosting._made import MadeFolders
from statehold.hosting._opened import OpenStorage, Storages
from statehold.hosting._plan import Plan, PlannedStorage
from statehold.hosting._relay import Relay
from statehold.hosting._settings import HostSettings
from statehold.hosting._trouble import Trouble
from statehold.hosting._watching import Watch, watching
from statehold.images import Isolation
from statehold.loading import Work, check_storage
from statehold.sdk import DeployError, IWithProbe, PluginError


@contextmanager
def opened_partitions(
    plan: Plan,
    existing: tuple[Storages, ...],
    *,
    handover: Handover,
    data: AppData,
    made: MadeFolders,
    settings: HostSettings,
    progress: Callable[[str], None],
) -> Iterator[tuple[Storages, ...]]:
    """Open and probe every storage of every partition; free them again if that or the block fails.

    *existing* are the storages of the version that is to be replaced; *handover* notes what is written there
    meanwhile. A storage may take as long as it needs: ending it half-way would leave behind what nobody
    knows; one that is slow is reported.

    Raises:
        DeployError: a storage cannot be opened, or does not work.

    """
    trouble = Trouble(plan.redactor.redact)
    partitions: list[dict[str, OpenStorage]] = []
    try:
        # All of them first: a process that serves several storages has their folders from its start on.
        _make_folders(plan, made, settings)
        with watching(settings.slow_open, partial(_report_slow, settings)) as watch:
            for number in range(plan.num_parts):
                progress(f"open partition {number + 1} of {plan.num_parts}")
                partitions.append({})
                opener = _Opener(
                    plan,
                    data.partitions[number],
                    partitions[-1],
                    handover=handover,
                    made=made,
                    settings=settings,
                    trouble=trouble,
                    watch=watch,
                )
                opener.open_all(existing[number] if number < len(existing) else {})
                handover.give()
        yield tuple(partitions)
    except BaseException as error:
        opened = [storage for partition in partitions for storage in partition.values()]
        problems = free_storages(
            opened, trouble, free_timeout=settings.free_timeout, pending_timeout=settings.pending_timeout
        )
        for problem in problems:
            settings.logger.error(  # noqa: TRY400 - its cause is raised
                "%s", problem
            )
            error.add_note(problem)
        made.remove()
        raise


def _make_folders(plan: Plan, made: MadeFolders, settings: HostSettings) -> None:
    for number in range(plan.num_parts):
        for planned in plan.storages:
            # What cannot be made is told when the storage is opened.
            with suppress(OSError):
                _make_folder(plan, planned, number, made, settings)


def _make_folder(
    plan: Plan, planned: PlannedStorage, number: int, made: MadeFolders, settings: HostSettings
) -> Path:
    folder = settings.storage_folder(plan.app, number, planned.name)
    # There are many storages of `sys`, in each partition, and they come with the host: none keeps files.
    if not planned.name.startswith("sys."):
        made.make(folder)
        if planned.isolation is not Isolation.SIDECAR:
            take_back(folder)
    return folder


def take_back(folder: Path) -> None:
    """Note in the group of a folder that was a sidecar's that the host, which is root, works in it as well.

    Its user stays, for a sidecar of the version before may be at work. The next one that gets the folder sees
    the note, and gets what the host has written there.
    """
    if not os.geteuid() and os.lstat(folder).st_uid:
        os.chown(folder, -1, 0, follow_symlinks=False)


def _report_slow(settings: HostSettings, what: str) -> None:
    settings.logger.warning(
        "%s is still being opened after %g s, and the deploy waits for it", what, settings.slow_open
    )


class _Opener:
    """Opens the storages of one partition, each after those that it requires."""

    def __init__(
        self,
        plan: Plan,
        data: PartitionData,
        opened: dict[str, OpenStorage],
        *,
        handover: Handover,
        made: MadeFolders,
        settings: HostSettings,
        trouble: Trouble,
        watch: Watch,
    ) -> None:
        self._plan = plan
        self._data = data
        self._opened = opened
        self._handover = handover
        self._made = made
        self._settings = settings
        self._trouble = trouble
        self._watch = watch
        self._where = f"partition {data.number} of {plan.app} {plan.version}"

    def open_all(self, existing: Storages) -> None:
        """Open what can be opened, so that the error names every storage that cannot."""
        problems: list[str] = []
        causes: list[BaseException | None] = []
        failed: set[str] = set()
        for planned in self._plan.storages:
            if not failed.isdisjoint(planned.requires):
                failed.add(planned.name)
                continue
            try:
                self._open(planned, existing.get(planned.name))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin raises
                failed.add(planned.name)
                problems.append(f"{planned.name}: {self._trouble.line(error)}")
                causes.append(self._trouble.cause(error))
        if problems:
            raise DeployError(
                f"{self._plan.app} {self._plan.version} cannot be opened: "
                + "; ".join(f"{line}, in partition {self._data.number}" for line in problems),
                problems=problems,
                hint="What ran before goes on. Mend this and deploy again",
            ) from causes[0]

    def _open(self, planned: PlannedStorage, before: OpenStorage | None) -> None:
        plan, number = self._plan, self._data.number
        if before is not None and before.provider != planned.provider.name:
            # Another provider under the same name has nothing to hand over.
            before = None
        self._watch.doing = f"{planned.name} of {self._where}"
        logger = HostedLogger(f"statehold.{plan.app}.{plan.version}.{number}.{planned.name}")
        logger.addFilter(plan.redactor)
        work = Work(f"{planned.name} of {self._where}", logger)
        context = make_context(
            plan,
            planned,
            number,
            logger=logger,
            work=work,
            data_folder=_make_folder(plan, planned, number, self._made, self._settings),
            clock=self._settings.clock,
            existing=None if before is None else before.impl,
            storages={name.partition(".")[2]: self._opened[name].impl for name in planned.requires},
            data=self._data,
            host=self._settings.services,
        )
        if before is not None:
            self._handover.note(number, before)
        try:
            impl = planned.provider.open(context)
        except BaseException:
            work.finish(self._settings.pending_timeout)
            raise
        finally:
            context.forget_existing()
        self._opened[planned.name] = opened = OpenStorage(
            name=planned.name,
            provider=planned.provider.name,
            impl=impl,
            work=work,
            logger=logger,
            where=self._where,
            # A proxy looks on behalf of another, which knows better.
            takes_over=getattr(impl, "takes_over", context.takes_over),
            relay=Relay.of(impl, planned),
        )
        faults = check_storage(impl, planned.provider)
        if faults:
            raise PluginError("; ".join(map(str, faults)))
        if before is not None:
            # At once: from now on it is noticed if it loses what it has taken over.
            self._handover.join(number, before, opened)
        if isinstance(impl, IWithProbe):
            impl.probe()
