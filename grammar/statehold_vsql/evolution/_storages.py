from __future__ import annotations

from collections.abc import Mapping

from statehold_vsql._contract import Contract
from statehold_vsql._fields import Field
from statehold_vsql._words import Operation, Scope
from statehold_vsql.appdef import AppDef, QName, StorageDef
from statehold_vsql.evolution._change import Broken, Changes, Subject
from statehold_vsql.evolution._fields import Way, compare_fields, plain
from statehold_vsql.evolution._pairs import pairs

Offers = Mapping[QName, Contract]

_KEY = Way(stored=True, exact=True)
_VALUE = Way(stored=True)
_UNKNOWN = "cannot be compared: one version leaves it to a provider that is not known here"


def compare_storages(
    changes: Changes, old: AppDef, new: AppDef, *, old_offers: Offers, new_offers: Offers
) -> None:
    """Note what changed about storages: who may use which operation, and what they hold."""
    for subject, before, after in pairs(changes, "storage", old.storages, new.storages, removed=Broken.DATA):
        offered, offers = old_offers.get(before.name), new_offers.get(after.name)
        if before.engine is not after.engine:
            message = f"is provided by {after.engine}, and was by {before.engine}"
            changes.add("storage-engine", subject, message, Broken.DATA)
        if before.provider != after.provider:
            message = f"is a {after.provider}, and was a {before.provider}"
            changes.add("storage-provider", subject, message, Broken.DATA)
        _operations(changes, subject, _permitted(before, offered), _permitted(after, offers))
        _key(changes, subject, _schema(before.key, offered, "key"), _schema(after.key, offers, "key"))
        _values(
            changes, subject, _schema(before.value, offered, "value"), _schema(after.value, offers, "value")
        )
        if before.config != after.config:
            changes.add("storage-config", subject, "has another JSONCONFIG")


_Scopes = Mapping[Operation, frozenset[Scope]]


def _permitted(storage: StorageDef, offered: Contract | None) -> _Scopes | None:
    if storage.operations is not None or offered is None:
        return storage.operations
    return offered.operations


def _schema(
    declared: tuple[Field, ...] | None, offered: Contract | None, part: str
) -> tuple[Field, ...] | None:
    if declared is not None or offered is None:
        return declared
    return offered.key if part == "key" else offered.value


def _operations(changes: Changes, subject: Subject, old: _Scopes | None, new: _Scopes | None) -> None:
    if old is None or new is None:
        if old is not new:
            changes.add("storage-operations", subject, f"who may use it {_UNKNOWN}", Broken.PACKAGES)
        return
    for operation in Operation:
        before, after = old.get(operation), new.get(operation)
        if before is not None and after is None:
            changes.add("operation-removed", subject, f"there is no {operation} any more", Broken.PACKAGES)
        elif before is None and after is not None:
            changes.add("operation-added", subject, f"{operation} is new, in {_words(after)}")
        elif before is not None and after is not None:
            if lost := before - after:
                message = f"{operation} may not be used in {_words(lost)} any more"
                changes.add("scope-removed", subject, message, Broken.PACKAGES)
            if won := after - before:
                changes.add("scope-added", subject, f"{operation} may be used in {_words(won)}")


def _key(
    changes: Changes, subject: Subject, old: tuple[Field, ...] | None, new: tuple[Field, ...] | None
) -> None:
    if old is None or new is None:
        if old is not new:
            changes.add("storage-key", subject, f"its KEY {_UNKNOWN}", Broken.DATA)
        return
    compare_fields(changes, subject, plain(old), plain(new), _KEY, what="key field")
    both = {field.name for field in old} & {field.name for field in new}
    orders = [[field.name for field in fields if field.name in both] for fields in (old, new)]
    if orders[0] != orders[1]:
        changes.add("key-order", subject, f"its KEY is ordered by {', '.join(orders[1])}", Broken.DATA)


def _values(
    changes: Changes, subject: Subject, old: tuple[Field, ...] | None, new: tuple[Field, ...] | None
) -> None:
    if old is None or new is None:
        if old is not new:
            changes.add("storage-value", subject, f"its VALUE {_UNKNOWN}", Broken.DATA)
        return
    compare_fields(changes, subject, plain(old), plain(new), _VALUE, what="value field")


def _words(scopes: frozenset[Scope]) -> str:
    return ", ".join(scope for scope in Scope if scope in scopes) or "no scope"
