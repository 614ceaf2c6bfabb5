from __future__ import annotations

from collections.abc import Iterable, Mapping

from statehold_vsql._words import ExtensionKind
from statehold_vsql.appdef import ANY, AppDef, ContainerDef, ExtensionDef, FieldDef, QName
from statehold_vsql.evolution._change import Broken, Changes, Subject
from statehold_vsql.evolution._fields import Way, compare_containers, compare_fields
from statehold_vsql.evolution._pairs import pairs
from statehold_vsql.evolution._places import Places

_SENT = Way(written=True)
_RETURNED = Way(promised=True)
_CALLED = (ExtensionKind.COMMAND, ExtensionKind.QUERY)


def compare_calls(changes: Changes, places: Places, old: AppDef, new: AppDef) -> None:
    """Note what changed about commands and queries, and about the types of what they take and return.

    Projectors, jobs and functions are called by nobody outside: they may change as they like.
    """
    for kind in _CALLED:
        word = kind.lower()
        before, after = _of(old, kind), _of(new, kind)
        for subject, one, other in pairs(changes, word, before, after, removed=Broken.CLIENTS):
            for what, earlier, later in (
                ("parameter", one.parameter, other.parameter),
                ("unlogged parameter", one.unlogged, other.unlogged),
            ):
                _sent(changes, subject, what, (old, earlier), (new, later))
            _returned(changes, subject, (old, one.returns), (new, other.returns))
            places.compare(subject, one.workspace, other.workspace, Broken.CLIENTS)
    _types(changes, old, new)


def _of(appdef: AppDef, kind: ExtensionKind) -> Mapping[QName, ExtensionDef]:
    return {name: extension for name, extension in appdef.extensions.items() if extension.kind is kind}


_Typed = tuple[AppDef, QName | None]
_Parts = tuple[tuple[FieldDef, ...], tuple[ContainerDef, ...]]


def _sent(changes: Changes, subject: Subject, what: str, old: _Typed, new: _Typed) -> None:
    before, after = old[1], new[1]
    if before == after:
        return
    if after is None:
        changes.add("parameter-removed", subject, f"takes no {what} any more", Broken.CLIENTS)
    elif before == ANY:
        changes.add("parameter-type", subject, f"its {what} is {after}, and was any type", Broken.CLIENTS)
    elif after == ANY:
        changes.add("parameter-type", subject, f"its {what} is any type")
    elif before is None:
        needed = [field.name for field in _parts(*new)[0] if field.field.required and field.default is None]
        needed += [container.name for container in _parts(*new)[1] if container.required]
        tail = f", and needs {', '.join(needed)}" if needed else ""
        breaks = Broken.CLIENTS if needed else None
        changes.add("parameter-added", subject, f"takes the {what} {after}{tail}", breaks)
    else:
        changes.add("parameter-type", subject, f"its {what} is {after}, and was {before}")
        _compare_parts(changes, subject, _parts(*old), _parts(*new), _SENT)


def _returned(changes: Changes, subject: Subject, old: _Typed, new: _Typed) -> None:
    before, after = old[1], new[1]
    if before == after:
        return
    if after is None:
        changes.add("result-removed", subject, "returns nothing any more", Broken.CLIENTS)
    elif before is None:
        changes.add("result-added", subject, f"returns {after}")
    elif ANY in (before, after):
        message = f"returns {'any type' if after == ANY else after}"
        changes.add("result-type", subject, message, Broken.CLIENTS if after == ANY else None)
    else:
        changes.add("result-type", subject, f"returns {after}, and did {before}")
        _compare_parts(changes, subject, _parts(*old), _parts(*new), _RETURNED)


def _types(changes: Changes, old: AppDef, new: AppDef) -> None:
    """Compare the types that both versions have, as far as clients see them in the old one."""
    calls = [extension for extension in old.extensions.values() if extension.kind in _CALLED]
    sent = _closure(old, (name for call in calls for name in (call.parameter, call.unlogged)))
    returned = _closure(old, (call.returns for call in calls))
    for name in old.types:
        after = new.types.get(name)
        if after is None or not (name in sent or name in returned):
            continue
        before = old.types[name]
        subject = Subject(name=f"type {name}", old=before.position, new=after.position)
        way = Way(written=name in sent, promised=name in returned)
        _compare_parts(
            changes, subject, (before.fields, before.containers), (after.fields, after.containers), way
        )


def _closure(appdef: AppDef, names: Iterable[QName | None]) -> frozenset[QName]:
    """Return the types that are named, and those nested in them."""
    found: set[QName] = set()
    left = [name for name in names if name is not None]
    while left:
        name = left.pop()
        definition = appdef.types.get(name)
        if definition is not None and name not in found:
            found.add(name)
            left += [container.type for container in definition.containers]
    return frozenset(found)


def _compare_parts(changes: Changes, subject: Subject, old: _Parts, new: _Parts, way: Way) -> None:
    compare_fields(changes, subject, old[0], new[0], way)
    compare_containers(changes, subject, old[1], new[1], way)


def _parts(appdef: AppDef, name: QName | None) -> _Parts:
    definition = None if name is None else appdef.types.get(name) or appdef.tables.get(name)
    return ((), ()) if definition is None else (definition.fields, definition.containers)
