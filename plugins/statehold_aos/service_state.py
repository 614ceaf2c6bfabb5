"""Storage `ServiceState`: the state of each (user claim, service), the same here and in the cloud."""

from __future__ import annotations

from statehold.sdk import READ_AND_WRITE, Field, IStateStorage, Provider, StorageContext
from statehold_aos._databases import Databases
from statehold_aos._state._config import ServiceStateConfig
from statehold_aos._state._sharing import Common

__all__ = ["ServiceStateConfig", "make_provider"]


def make_provider(databases: Databases) -> Provider:
    """Return the provider of states in *databases*."""
    common = Common()

    def open_states(ctx: StorageContext) -> IStateStorage:
        from statehold_aos._state._opening import open_storage  # noqa: PLC0415 - brings SQLAlchemy

        return open_storage(ctx, databases, common)

    return Provider(
        name="ServiceState",
        open=open_states,
        operations=READ_AND_WRITE,
        key=[Field("Service", "text", required=True), Field("Users", "text", required=True)],
        value=[
            Field("StateLimit", "int64"),
            Field("State", "bytes"),
            Field("Removed", "bool"),
            Field("Checksum", "text"),
            Field("Accepted", "text"),
            Field("Pending", "text"),
            Field("Status", "text"),
            Field("Message", "text"),
        ],
        config=ServiceStateConfig,
        requires=("Config", "ServiceStorage"),
        inprocess_only="all versions of an app share the way to the cloud",
        description="The state of each user claim of an AOS service, the same here and in the cloud",
    )
