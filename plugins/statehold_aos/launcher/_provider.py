from __future__ import annotations

from typing import TYPE_CHECKING

from statehold.sdk import READ_AND_WRITE, Field, IStateStorage, Provider, Rank, StorageContext
from statehold_aos._databases import Databases
from statehold_aos._sharing import Pool
from statehold_aos.launcher._config import LauncherConfig

if TYPE_CHECKING:
    from statehold_aos.launcher._launcher import Launcher
    from statehold_aos.launcher._stores import Stores


def make_provider(databases: Databases) -> Provider:
    """Return the provider of launchers of what is in *databases*."""
    pool: Pool[Launcher, Stores] = Pool()

    def open_launcher(ctx: StorageContext) -> IStateStorage:
        from statehold_aos.launcher._opening import open_storage  # noqa: PLC0415 - brings SQLAlchemy

        return open_storage(ctx, databases, pool)

    return Provider(
        name="Launcher",
        open=open_launcher,
        operations=READ_AND_WRITE,
        key=[Field("Service", "text", required=True)],
        value=[
            Field("Image", "text"),
            Field("Users", "text"),
            Field("Removed", "bool"),
            Field("Purged", "bool"),
            Field("Restart", "bool"),
            Field("Version", "int64"),
            Field("Status", "text"),
            Field("Since", "int64"),
            Field("Pid", "int64"),
            Field("Restarts", "int64"),
            Field("Message", "text"),
        ],
        config=LauncherConfig,
        requires=("Config", "ServiceStorage", "ServiceState"),
        rank=Rank.EFFECT,
        inprocess_only="it starts processes, which end with the host",
        description="AOS services as processes: installed, updated, and run for the users who are there",
    )
