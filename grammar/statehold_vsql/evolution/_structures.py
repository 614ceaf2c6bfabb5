from __future__ import annotations

from statehold_vsql.appdef import AppDef, FieldDef, TableDef, ViewDef
from statehold_vsql.evolution._change import Broken, Changes, Subject
from statehold_vsql.evolution._fields import Way, compare_containers, compare_fields
from statehold_vsql.evolution._pairs import pairs
from statehold_vsql.evolution._places import Places

_TABLE = Way(stored=True, written=True)
_VALUES = Way(stored=True)


def compare_tables(changes: Changes, places: Places, old: AppDef, new: AppDef) -> None:
    """Note what changed about tables: their records are stored, and clients write them.

    What abstract tables have is in those that inherit them, and there it is looked at.
    """
    before = {name: table for name, table in old.tables.items() if not table.abstract}
    after = {name: table for name, table in new.tables.items() if not table.abstract}
    for subject, one, other in pairs(changes, "table", before, after, removed=Broken.DATA):
        _table(changes, subject, one, other)
        places.compare(subject, one.workspace, other.workspace, Broken.DATA)


def compare_views(changes: Changes, places: Places, old: AppDef, new: AppDef) -> None:
    """Note what changed about views: their rows are stored, and clients read them."""
    for subject, before, after in pairs(changes, "view", old.views, new.views, removed=Broken.DATA):
        _key(changes, subject, before, after)
        compare_fields(changes, subject, before.values, after.values, _VALUES)
        places.compare(subject, before.workspace, after.workspace, Broken.DATA)


def _table(changes: Changes, subject: Subject, old: TableDef, new: TableDef) -> None:
    if old.kind is not new.kind:
        changes.add("table-kind", subject, f"is a {new.kind}, and was a {old.kind}", Broken.DATA)
    if old.singleton != new.singleton:
        message = f"is {'a' if new.singleton else 'no'} singleton{'' if new.singleton else ' any more'}"
        changes.add("table-singleton", subject, message, Broken.DATA)
    compare_fields(changes, subject, old.fields, new.fields, _TABLE)
    compare_containers(changes, subject, old.containers, new.containers, _TABLE)
    before, after = ({one.fields for one in table.uniques} for table in (old, new))
    if old.unique_field is not None:
        before.add((old.unique_field,))
    if new.unique_field is not None:
        after.add((new.unique_field,))
    for fields in sorted(after - before):
        changes.add("unique-added", subject, f"{', '.join(fields)} must be UNIQUE", Broken.CLIENTS)
    for fields in sorted(before - after):
        changes.add("unique-removed", subject, f"{', '.join(fields)} need not be UNIQUE any more")


def _key(changes: Changes, subject: Subject, old: ViewDef, new: ViewDef) -> None:
    # A row is found by its whole key: whatever changes about that loses all that there are.
    for part, before, after in (
        ("partition key", old.partition_key, new.partition_key),
        ("clustering columns", old.clustering_columns, new.clustering_columns),
    ):
        if [_shape(field) for field in before] != [_shape(field) for field in after]:
            message = f"its {part} are ({_listed(after)}), and were ({_listed(before)})"
            changes.add("view-key", subject, message, Broken.DATA)


def _shape(field: FieldDef) -> tuple[str, str]:
    return field.name, field.field.type


def _listed(fields: tuple[FieldDef, ...]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in map(_shape, fields))
