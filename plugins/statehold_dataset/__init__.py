"""Storage `Table`: durable typed rows in a SQLite file, its schema kept through `dataset`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from statehold.sdk import READ_AND_WRITE, IStateStorage, Provider, StorageContext

__all__ = ["TableConfig", "provider"]


class TableConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `Table`.

    Attributes:
        Synchronous: `FULL`: what was applied survives a loss of power; `NORMAL`: it survives the end of
            the process, and the last of it may be lost with the power.
        Readers: how many connections may read at once; further readers wait.

    """

    Synchronous: Literal["FULL", "NORMAL"] = "FULL"
    Readers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4


def _open(ctx: StorageContext) -> IStateStorage:
    from statehold_dataset._table import Table  # noqa: PLC0415 - brings dataset and SQLAlchemy

    return Table.open(ctx)


provider: Final = Provider(
    name="Table",
    open=_open,
    operations=READ_AND_WRITE,
    config=TableConfig,
    sync_projector=True,
    description="Durable rows in the app's SQLite file",
)
