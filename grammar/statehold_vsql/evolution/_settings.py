from __future__ import annotations

import attrs

from statehold_vsql.appdef import AppDef, FieldDef, ParameterDef
from statehold_vsql.evolution._change import Broken, Changes, Subject
from statehold_vsql.evolution._fields import Way, compare_fields
from statehold_vsql.evolution._pairs import pairs

_SET = Way(written=True)


def compare_settings(changes: Changes, old: AppDef, new: AppDef) -> None:
    """Note what changed about what the operator sets: parameters, secrets and DECLAREd variables."""
    for name, parameter in new.parameters.items():
        if name not in old.parameters:
            _added(changes, parameter)
    kept = {name: one for name, one in new.parameters.items() if name in old.parameters}
    for subject, before, after in pairs(changes, "parameter", old.parameters, kept, removed=Broken.OPERATOR):
        _parameter(changes, subject, before, after)
    for subject, one, other in pairs(
        changes, "variable", old.variables, new.variables, removed=Broken.OPERATOR
    ):
        if one.default != other.default:
            changes.add("parameter-default", subject, f"is {other.default} by default, and was {one.default}")


def _added(changes: Changes, parameter: ParameterDef) -> None:
    word = "secret" if parameter.secret else "parameter"
    subject = Subject(name=f"{word} {parameter.name}", new=parameter.position)
    if not parameter.secret and parameter.default is not None:
        changes.add("parameter-added", subject, "is new, with a DEFAULT")
    else:
        changes.add(f"{word}-added", subject, "is new, and must be set", Broken.OPERATOR)


def _parameter(changes: Changes, subject: Subject, old: ParameterDef, new: ParameterDef) -> None:
    if old.secret != new.secret:
        message = f"is a {'SECRET' if new.secret else 'PARAMETER'} now"
        changes.add("parameter-kind", subject, message, Broken.OPERATOR)
        return
    found = Changes()
    compare_fields(found, subject, [_field(old)], [_field(new)], _SET, what="parameter")
    for change in found.found:
        changes.add(
            change.code.replace("field", "parameter"),
            subject,
            change.message,
            Broken.OPERATOR if change.breaking else None,
        )
    if old.default != new.default:
        gone = new.default is None
        message = (
            "has no DEFAULT any more" if gone else f"is {new.default!r} by default, and was {old.default!r}"
        )
        changes.add("parameter-default", subject, message, Broken.OPERATOR if gone else None)


def _field(parameter: ParameterDef) -> FieldDef:
    # What must be set is what has no DEFAULT, and that is looked at by itself.
    return FieldDef(field=attrs.evolve(parameter.field, required=False))
