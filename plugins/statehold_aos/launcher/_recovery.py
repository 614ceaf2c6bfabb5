from __future__ import annotations

import json
from pathlib import Path

from statehold.sdk import StorageError, StorageLogger
from statehold_aos.database import Service, ServiceState
from statehold_aos.gateway import ClaimId
from statehold_aos.launcher._installed import Installed
from statehold_aos.launcher._journal import Journal, ServiceId
from statehold_aos.launcher._processes import Runner
from statehold_aos.launcher._stores import Stores


def recover(
    name: str,
    *,
    journal: Journal,
    installed: Installed,
    stores: Stores,
    runner: Runner,
    logger: StorageLogger,
    now: int,
) -> None:
    """Clean up what a crash has left, in this order: processes, updates, removals, images, states, folders.

    What is wrong with one service is told, and harms no other; nothing is removed that was not to be.

    Raises:
        StorageError: the database cannot be read or written.

    """
    for left in runner.clean():
        logger.warning("%s: a process of an earlier host was still there: %s", name, left)
    for update in journal.notes.updates:
        service = ServiceId(update.workspace, update.service)
        if installed.find(service) is not None:
            installed.tables(update.workspace).services.update(Service(**update.before))
            logger.warning("%s: an update of %r did not come to its end", name, update.service)
        journal.end_update(service)
    for removal in journal.notes.removals:
        tables = installed.tables(removal.workspace)
        try:
            if removal.users:
                tables.users.remove_service(json.loads(removal.users), removal.service)
            else:
                tables.services.remove_with_users(removal.service)
            stores.remove(ClaimId(*removal))
        except StorageError as error:
            logger.error("%s: %s cannot be removed yet: %s", name, removal, error)  # noqa: TRY400
        else:
            journal.end_removal(removal)
    for left in installed.clean(staged=True):
        logger.warning("%s: an image that no service has was removed: %s", name, left)
    for workspace in _workspaces(journal, installed):
        for row in installed.tables(workspace).services.all():
            service = ServiceId(workspace, row.id)
            if row.state == ServiceState.RUNNING:
                installed.tables(workspace).services.set_state(row.id, ServiceState.STOPPED)
                journal.use(service, now)
            try:
                stores.bring(service, installed.claims(service), installed.limits(row))
            except StorageError as error:
                logger.error("%s: service %r: %s", name, row.id, error)  # noqa: TRY400 - no defect of ours


def _workspaces(journal: Journal, installed: Installed) -> set[int]:
    folders = installed.images.root.glob("[0-9]*")
    return {*journal.notes.users, *(int(Path(each).name) for each in folders)}
