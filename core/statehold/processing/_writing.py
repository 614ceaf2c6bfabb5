from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from statehold.events import TableShape, Unit, create_workspace
from statehold.processing._answers import CommandAnswer
from statehold.processing._errors import ForbiddenError, RequestError, UnknownError
from statehold.processing._failure import refused
from statehold.processing._finishing import finish
from statehold.processing._gate import Entry
from statehold.processing._request import Request
from statehold.processing._rights import SYSTEM_ROLE
from statehold.processing._tables import changeable
from statehold.processing._work import Bench, Done, Quiet
from statehold.sdk import SchemaError
from statehold_vsql.appdef import AccessOperation

#: What events are called that change records without a command of the app.
CUD: Final = "sys.CUD"
_STRUCTURE: Final = frozenset({"sys.ID", "sys.QName", "sys.ParentID", "sys.Container"})
_ACTIVE: Final = "sys.IsActive"
_DESCRIPTOR: Final = "sys.WorkspaceDescriptor"
#: What of a workspace's descriptor others than the host may change, as far as they are granted it.
_OF_OWNERS: Final = frozenset({"WSName"})


class Create(Quiet):
    """Makes a document with all that is nested in it, or a record inside one that is there."""

    name = CUD

    def __init__(self, request: Request, table: str, document: Mapping[str, Any]) -> None:
        self.request = request
        self._table = table
        self._document = document

    def run(self, bench: Bench, unit: Unit) -> Done:
        """Make the document, as INSERT on each of its tables permits."""
        parts = bench.parts
        shape = changeable(parts, self._table)
        entry = bench.gate.enter(parts, unit, self.request)
        for inner, fields in _tables_of(shape, self._document):
            bench.gate.check(parts, entry, AccessOperation.INSERT, inner.name, fields=fields)
        try:
            value = shape.from_json(self._document)
        except SchemaError as error:
            raise refused(error, shape.name) from error
        unit.insert(self.request.workspace, value)
        return _append(bench, unit, entry)


class Patch(Quiet):
    """Changes fields of one record, or takes it into and out of use."""

    name = CUD

    def __init__(self, request: Request, table: str, record: int, changes: Mapping[str, Any]) -> None:
        self.request = request
        self._table = table
        self._record = record
        self._changes = changes

    def run(self, bench: Bench, unit: Unit) -> Done:
        """Change the record, as UPDATE, ACTIVATE and DEACTIVATE permit."""
        parts = bench.parts
        shape = changeable(parts, self._table)
        entry = bench.gate.enter(parts, unit, self.request)
        if not self._changes:
            raise RequestError(f"{shape.name}: expected fields to change, got none", qname=shape.name)
        changes = dict(self._changes)
        for name, given in (("sys.ID", self._record), ("sys.QName", shape.name)):
            if changes.pop(name, given) != given:
                raise RequestError(f"{shape.name}: {name} cannot be changed", qname=shape.name)
        self._check(bench, entry, shape, changes)
        existing: Any = unit.record(self.request.workspace, self._record, shape)
        if existing is None or existing.sys_QName != shape.name:
            raise UnknownError(
                f"there is no {shape.name} {self._record} in workspace {self.request.workspace}",
                qname=shape.name,
            )
        try:
            unit.change(self.request.workspace, self._record, shape.changes_from_json(changes))
        except SchemaError as error:
            raise refused(error, shape.name) from error
        return _append(bench, unit, entry)

    def _check(self, bench: Bench, entry: Entry, shape: TableShape, changes: Mapping[str, Any]) -> None:
        fields = [name for name in changes if name != _ACTIVE]
        if shape.name == _DESCRIPTOR and not entry.is_system and set(changes) - _OF_OWNERS:
            # Who owns a workspace and of what kind it is decides who may do what there.
            others = sorted(set(changes) - _OF_OWNERS)
            raise ForbiddenError(
                f"{shape.name}: only {', '.join(_OF_OWNERS)} may be changed, got {', '.join(others)}",
                qname=shape.name,
                roles=(SYSTEM_ROLE,),
                fields=others,
            )
        if fields:
            bench.gate.check(bench.parts, entry, AccessOperation.UPDATE, shape.name, fields=fields)
        if _ACTIVE in changes:
            operation = AccessOperation.ACTIVATE if changes[_ACTIVE] else AccessOperation.DEACTIVATE
            bench.gate.check(bench.parts, entry, operation, shape.name)
        elif not fields:
            raise RequestError(f"{shape.name}: expected fields to change, got none", qname=shape.name)


class CreateWorkspace(Quiet):
    """Makes a workspace; whoever asks has been let in before."""

    name = "sys.CreateWorkspace"

    def __init__(
        self, workspace: int, *, kind: str, title: str, data: Mapping[str, Any] | None, owner: int
    ) -> None:
        self._workspace = workspace
        self._kind = kind
        self._title = title
        self._data = data
        self._owner = owner

    def run(self, bench: Bench, unit: Unit) -> Done:
        """Make the workspace."""
        try:
            event = create_workspace(
                unit,
                self._workspace,
                kind=self._kind,
                name=self._title,
                registered_at=bench.now(),
                descriptor=self._data,
                owner=self._owner,
            )
        except SchemaError as error:
            raise refused(error, self._kind) from error
        answer = CommandAnswer(offset=event.wlog_offset, new_ids={})
        return finish(bench, unit, Done(answer, event), kind=self._kind)


class ClearOutbox(Quiet):
    """Does what a host that was killed has left to do, or what failed before."""

    name = "the outbox"

    def run(self, bench: Bench, unit: Unit) -> Done:  # noqa: ARG002 - each part has a commit of its own
        """Do what is left."""
        bench.outbox.again(bench.partition, bench.parts.schemas)
        return Done(CommandAnswer(offset=0, new_ids={}))


def _append(bench: Bench, unit: Unit, entry: Entry) -> Done:
    event = unit.append(CUD, entry.request.workspace, registered_at=bench.now())
    answer = CommandAnswer(offset=event.wlog_offset, new_ids=event.new_ids)
    return finish(bench, unit, Done(answer, event), kind=entry.kind)


def _tables_of(shape: TableShape, document: Any) -> Iterator[tuple[TableShape, list[str]]]:
    """Yield the tables that a document as JSON has records of, each with the fields it gives."""
    if not isinstance(document, Mapping):
        return
    yield shape, [name for name in document if name not in _STRUCTURE and name != _ACTIVE]
    for name, inner in shape.containers.items():
        nested = document.get(name)
        if isinstance(inner, TableShape) and nested is not None:
            for one in nested if isinstance(nested, (list, tuple)) else (nested,):
                yield from _tables_of(inner, one)
