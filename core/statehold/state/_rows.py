from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import attrs
import msgspec

from statehold import sdk
from statehold.sdk import UNSET, Field, Key, SchemaError, UnsetType, Value
from statehold.state._fieldcheck import PYTHON_TYPES, fixer, needs_fix

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_WSID: Final = Field("WSID", "int64", required=True)
_SHOWN: Final = 80


@attrs.frozen(kw_only=True, eq=False)
class Rows:
    """The checked constructors of one storage's keys and values, compiled from its schema.

    Attributes:
        storage: the storage's qualified name, for messages.
        Key: the class of its whole keys.
        Prefix: the class of keys for READ in which trailing fields are `UNSET`.
        Value: the class of its values.
        key: `key(WSID, **fields) -> Key`, every required field given.
        prefix: `prefix(WSID, **fields)`: trailing fields may be left out, and then mean any value.
        value: `value(**fields) -> Value`.

    All three raise SchemaError that names storage, field, expected and got.

    """

    storage: str
    key_fields: tuple[Field, ...]
    value_fields: tuple[Field, ...]
    Key: type[sdk.Key]
    Prefix: type[sdk.Key]
    Value: type[sdk.Value]
    key: Callable[..., sdk.Key]
    prefix: Callable[..., sdk.Key]
    value: Callable[..., sdk.Value]
    _fixers: Mapping[str, Callable[[object], object]] = attrs.field(alias="fixers")

    def changes(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Return *fields* checked for an UPDATE: those that are not named stay as they are."""
        for name in fields:
            if name not in self._fixers:
                raise unknown_field(self.storage, "VALUE", name, self.value_fields)
        return {name: self._fixers[name](value) for name, value in fields.items()}


def compile_rows(storage: str, key: Sequence[Field], value: Sequence[Field]) -> Rows:
    """Return the constructors for keys and values of the given fields."""
    key, value = tuple(key), tuple(value)
    _check_names(storage, "KEY", key, reserved=("WSID",))
    _check_names(storage, "VALUE", value, reserved=())
    key_class = _struct(storage, (_WSID, *key), Key)
    prefix_class = cast(
        "type[Key]", msgspec.defstruct(storage, [], bases=(key_class,), frozen=True, gc=False)
    )
    value_class = _struct(storage, value, Value)
    refuse = _refuser(storage)
    fixers = {field.name: fixer(field, refuse, in_key=False) for field in value}
    return Rows(
        storage=storage,
        key_fields=key,
        value_fields=value,
        Key=key_class,
        Prefix=prefix_class,
        Value=value_class,
        key=_constructor(storage, "KEY", key, key_class),
        prefix=_prefix(storage, key, key_class, prefix_class),
        value=_constructor(storage, "VALUE", value, value_class),
        fixers=fixers,
    )


def unknown_field(storage: str, part: str, name: str, fields: Sequence[Field]) -> SchemaError:
    """Return the error for a field that the schema does not have."""
    names = [field.name for field in fields]
    near = difflib.get_close_matches(name, names, 1)
    return SchemaError(
        f"{storage}: {part} has no field {name!r}",
        storage=storage,
        field=name,
        expected=f"one of {', '.join(names) or 'no fields'}",
        got=name,
        hint=f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(names) or 'no fields'}",
    )


def _check_names(storage: str, part: str, fields: tuple[Field, ...], *, reserved: tuple[str, ...]) -> None:
    seen = set(reserved)
    for field in fields:
        # The names become Python source below: nothing else may get in.
        if not _NAME.match(field.name) or field.name in seen:
            why = "stands there twice or is reserved" if field.name in seen else "is no identifier"
            raise SchemaError(
                f"{storage}: {part} field {field.name!r} {why}",
                storage=storage,
                field=field.name,
                expected="an ASCII identifier that starts with a letter, once, other than WSID in a key",
                got=field.name,
            )
        seen.add(field.name)


def _struct(storage: str, fields: tuple[Field, ...], base: type) -> Any:
    own = [field for field in fields if field is not _WSID]
    return msgspec.defstruct(
        storage,
        [_struct_field(field, optional=base is Value) for field in own],
        bases=(base,),
        frozen=True,
        gc=base is Value,
    )


def _struct_field(field: Field, *, optional: bool) -> Any:
    kind: Any = PYTHON_TYPES[field.type]
    if field.repeated:
        kind = tuple[kind, ...]
    elif not field.required:
        kind = kind | None
    if not optional:
        return field.name, kind | UnsetType
    return (field.name, kind, () if field.repeated else None)


def _refuser(storage: str) -> Callable[[Field, str, object], SchemaError]:
    def refuse(field: Field, expected: str, got: object) -> SchemaError:
        if got is UNSET:
            text = "nothing"
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


def _constructor(storage: str, part: str, fields: tuple[Field, ...], row: type) -> Any:
    """Compile `(WSID, field, ...) -> row`: the checks inline, so that a good row costs no further call."""
    in_key = part == "KEY"
    checked = (_WSID, *fields) if in_key else fields
    refuse = _refuser(storage)
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
        "_unknown": lambda extra: unknown_field(storage, part, next(iter(extra)), fields),
    }
    names, parameters, body = [], [], []
    for i, field in enumerate(checked):
        name = field.name
        if keyword.iskeyword(name):
            name = f"_{name}"
            body.append(f"{name} = _extra.pop({field.name!r}, _unset)")
        else:
            # A field that may be NULL is NULL where it is not given.
            default = "_unset" if field.required or field.repeated else "None"
            parameters.append(f"{name}={default}")
        scope[f"_fix{i}"] = fixer(field, refuse, in_key=in_key)
        body.append(f"if {needs_fix(field, name, in_key=in_key)}: {name} = _fix{i}({name})")
        names.append(name)
    body.append("if _extra: raise _unknown(_extra)")
    body.append(f"return _row({', '.join(names)})")
    # A misspelt field is reported as such, not as the missing one it leaves behind.
    source = f"def make({', '.join([*parameters, '**_extra'])}):\n"
    if not any(keyword.iskeyword(field.name) for field in checked):
        body.insert(0, body.pop(-2))
    source += "".join(f"    {line}\n" for line in body)
    exec(source, scope)  # noqa: S102 - the names were checked, the values are bound, not pasted
    make = scope.pop("make")
    make.__qualname__ = make.__name__ = part.lower()
    return make


def _prefix(storage: str, fields: tuple[Field, ...], key: type[Key], prefix: type[Key]) -> Callable[..., Key]:
    refuse = _refuser(storage)
    fixers = [fixer(field, refuse, in_key=True) for field in fields]
    fix_wsid = fixer(_WSID, refuse, in_key=True)

    def make(wsid: object = UNSET, /, **given: object) -> Key:
        if wsid is UNSET:
            wsid = given.pop("WSID", UNSET)
        count = max((i + 1 for i, field in enumerate(fields) if field.name in given), default=0)
        values = [
            fix(given.pop(field.name, UNSET))
            for field, fix in zip(fields[:count], fixers[:count], strict=True)
        ]
        if given:
            raise unknown_field(storage, "KEY", next(iter(given)), fields)
        rest = [UNSET] * (len(fields) - count)
        return (prefix if rest else key)(fix_wsid(wsid), *values, *rest)

    return make
