from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, Final

from statehold.sdk import UNSET, Field, SchemaError
from statehold.state._fieldcheck import Refuse, fixer, needs_fix

WSID: Final = Field("WSID", "int64", required=True)
_SHOWN: Final = 80


Find = tuple[Callable[..., Any], Callable[[], int]]


def compile_maker(storage: str, part: str, fields: Sequence[Field], row: Any) -> Callable[..., Any]:
    """Compile `make(field, ...) -> row`: the checks stand inline, so that a good row costs no call more.

    The fields' names must have been checked: they become Python source here.
    """
    make: Callable[..., Any] = _compile(storage, part, fields, row, find=False)(None)[0]
    make.__name__ = make.__qualname__ = part.lower()
    return make


def compile_finder(storage: str, fields: Sequence[Field], row: Any) -> Callable[[Callable[[Any], Any]], Find]:
    """Compile a function that turns a storage's `get(key)` into `find(field, ...)` and its call counter."""
    return _compile(storage, "KEY", fields, row, find=True)


def refuser(storage: str) -> Refuse:
    """Return what makes the error for a field of *storage* that does not fit."""

    def refuse(field: Field, expected: str, got: object) -> SchemaError:
        if got is UNSET:
            text = "nothing"
        elif field.secret:
            got, text = None, f"a {type(got).__name__} that is not shown"
        else:
            shown = repr(got)
            text = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}... ({len(shown)} characters)"
        return SchemaError(
            f"{storage}: field {field.name}: expected {expected}, got {text}",
            storage=storage,
            field=field.name,
            expected=expected,
            got=got,
        )

    return refuse


def unknown_field(storage: str, part: str, name: str, fields: Sequence[Field]) -> SchemaError:
    """Return the error for a field that the schema does not have."""
    names = [field.name for field in fields if field is not WSID]
    near = difflib.get_close_matches(name, names, 1)
    return SchemaError(
        f"{storage}: {part} has no field {name!r}",
        storage=storage,
        field=name,
        expected=f"one of {', '.join(names) or 'no fields'}",
        got=name,
        hint=f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(names) or 'no fields'}",
    )


def _compile(
    storage: str, part: str, fields: Sequence[Field], row: Any, *, find: bool
) -> Callable[[Any], Find]:
    in_key = part == "KEY"
    parameters, checks, names = [], [], []
    dotted = []
    for i, field in enumerate(fields):
        name = field.attribute
        if name != field.name:
            dotted.append(f"    {name} = _extra.pop({field.name!r}, {name})")
        # A field that may be NULL is NULL where it is not given.
        default = "_unset" if field.required or field.repeated else "None"
        parameters.append(f"{name}={default}")
        checks.append(f"if {needs_fix(field, name, in_key=in_key)}: {name} = _fix[{i}]({name})")
        names.append(name)
    made = f"_row({', '.join(names)})"
    # A misspelt field is reported as such, before the missing one it leaves behind.
    body = ["if _extra:", *dotted, "    if _extra: raise _unknown(_extra)", *checks]
    body += ["_count += 1", f"return _get({made})"] if find else [f"return {made}"]
    source = [
        "def build(_get):",
        "    _count = 0",
        f"    def make({', '.join([*parameters, '**_extra'])}):",
        "        nonlocal _count",
        *(f"        {line}" for line in body),
        "    return make, lambda: _count",
    ]

    def unknown(extra: dict[str, object]) -> SchemaError:
        return unknown_field(storage, part, next(iter(extra)), fields)

    # Globals, because each variable of an outer function that is named costs something at every call.
    scope: dict[str, Any] = {
        "_row": row,
        "_unset": UNSET,
        "_type": type,
        "_int": int,
        "_str": str,
        "_bytes": bytes,
        "_bool": bool,
        "_float": float,
        "_len": len,
        "_unknown": unknown,
        "_fix": [fixer(field, refuser(storage), in_key=in_key) for field in fields],
    }
    exec("\n".join(source), scope)  # noqa: S102 - the names were checked, values are bound, not pasted
    build: Callable[[Any], Find] = scope.pop("build")
    return build
