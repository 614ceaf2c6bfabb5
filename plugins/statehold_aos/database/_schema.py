from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UnicodeText,
)
from sqlalchemy.dialects.postgresql import TEXT
from sqlalchemy.types import TypeDecorator, TypeEngine

WORKSPACE: Final = "workspace"

#: The fields of each table: what the seed has, then what later versions of AOS have.
SEED: Final[dict[str, dict[str, type]]] = {
    "config": {"version": int, "cursor": str},
    "services": {
        "id": str,
        "version": int,
        "serviceProvider": str,
        "path": str,
        "unit": str,
        "user": str,
        "hostname": str,
        "permissions": str,
        "state": int,
        "status": int,
        "startat": int,
        "ttl": int,
        "alertRules": str,
        "ulLimit": int,
        "dlLimit": int,
        "ulSpeed": int,
        "dlSpeed": int,
        "storageLimit": int,
        "stateLimit": int,
        "layerList": str,
        "deviceResources": str,
    },
    "users": {"users": str, "serviceid": str, "storageFolder": str, "stateCheckSum": bytes},
    "trafficmonitor": {"chain": str, "time": int, "value": int},
    "layers": {"digest": str, "layerId": str, "path": str, "osVersion": str},
}
LATER: Final[dict[str, dict[str, type]]] = {
    "config": {"upgradeState": int, "upgradeData": bytes, "upgradeVersion": int},
    "services": {"uid": int, "gid": int, "boardResources": str},
    "users": {"overrideEnvVars": str},
    "trafficmonitor": {},
    "layers": {"version": int, "timestamp": int, "cached": int, "size": int},
}
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "config": (),
    "services": ("id",),
    "users": ("users", "serviceid"),
    "trafficmonitor": ("chain",),
    "layers": ("digest",),
}
#: Columns that hold a time: milliseconds since 1970, in the seed TIMESTAMP.
TIMES: Final = {("services", "startat"), ("trafficmonitor", "time"), ("layers", "timestamp")}
LOOKUPS: Final = {
    "services_of_provider": ("services", "serviceProvider"),
    "services_by_unit": ("services", "unit"),
    "users_of_service": ("users", "serviceid"),
}


class Words(TypeDecorator[str]):
    """Text that is ordered by code point and may have NUL, which PostgreSQL has no room for.

    There NUL is stored as U+0001 and `0`, and U+0001 as itself and `1`, so that the order stays.
    """

    impl = UnicodeText
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column's type."""
        postgres = dialect.name == "postgresql"
        return dialect.type_descriptor(TEXT(collation="C") if postgres else UnicodeText())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what is stored."""
        if value is None or dialect.name != "postgresql" or ("\0" not in value and "\1" not in value):
            return value
        return value.replace("\1", "\x011").replace("\0", "\x010")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        """Return what was given."""
        if value is None or dialect.name != "postgresql" or "\1" not in value:
            return value
        return str(value).replace("\x010", "\0").replace("\x011", "\1")


_TYPES: Final[dict[type, Any]] = {int: BigInteger, str: Words, bytes: LargeBinary}


def column_type(kind: type) -> Any:
    """Return the type of a column that holds *kind*."""
    return _TYPES[kind]()


def make_column(name: str, kind: type, *, null: bool = True) -> Column[Any]:
    """Return a column that holds *kind*."""
    return Column(name, column_type(kind), nullable=null, autoincrement=False)


def make_table(name: str, metadata: MetaData, *extra: Column[Any]) -> Table:
    """Return a table of the current version, with *extra* columns behind its own."""
    key = (WORKSPACE, *KEYS[name])
    columns = [Column(WORKSPACE, BigInteger, nullable=False, autoincrement=False)]
    columns += [
        Column(column, column_type(kind), nullable=column not in key)
        for column, kind in {**SEED[name], **LATER[name]}.items()
    ]
    constraints: list[Any] = [PrimaryKeyConstraint(*key, name=f"{name}_key")]
    if name == "users":
        constraints.append(
            ForeignKeyConstraint(
                (WORKSPACE, "serviceid"),
                ("services.workspace", "services.id"),
                name="users_have_service",
            )
        )
    return Table(name, metadata, *columns, *extra, *constraints)


def make_lookup(name: str, table: Table) -> Index:
    """Return the index of a look-up that is no key."""
    return Index(name, table.c[WORKSPACE], table.c[LOOKUPS[name][1]])


METADATA: Final = MetaData()
TABLES: Final[dict[str, Table]] = {name: make_table(name, METADATA) for name in SEED}
