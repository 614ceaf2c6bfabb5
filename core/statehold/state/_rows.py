from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, cast

import attrs
import msgspec

from statehold import sdk
from statehold.sdk import UNSET, Field, Key, SchemaError, UnsetType, Value
from statehold.state._fieldcheck import PYTHON_TYPES, fixer
from statehold.state._makers import WSID, Find, compile_finder, compile_maker, refuser, unknown_field

_NAME: Final = re.compile(r"(?:sys\.)?[A-Za-z][A-Za-z0-9_]*\Z")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Rows:
    """The checked constructors of one storage's keys and values, compiled from its schema.

    Attributes:
        storage: the storage's qualified name, for messages.
        Key: the class of its whole keys.
        Prefix: the class of keys for READ in which trailing fields are `UNSET`.
        Value: the class of its values.
        required: the attributes without which there is no value.

    A field of the system is given as `sys_ID=1` or `**{"sys.ID": 1}`. As JSON or msgpack a value is a map by
    field name, `sys.ID` with its dot; what is not set is left out.

    The constructors raise SchemaError that names storage, field, expected and got.

    """

    storage: str
    key_fields: tuple[Field, ...]
    value_fields: tuple[Field, ...]
    Key: type[sdk.Key]
    Prefix: type[sdk.Key]
    Value: type[sdk.Value]
    _fixers: Mapping[str, tuple[str, Callable[[object], object]]] = attrs.field(alias="fixers")
    required: frozenset[str]

    # Compiled at their first use: most storages of an app are used by few of its extensions, or by none.

    @cached_property
    def key(self) -> Callable[..., sdk.Key]:
        """`key(WSID, **fields) -> Key`, every required field given."""
        return compile_maker(self.storage, "KEY", (WSID, *self.key_fields), self.Key)

    @cached_property
    def prefix(self) -> Callable[..., sdk.Key]:
        """`prefix(WSID, **fields)`: trailing fields may be left out, and then mean any value."""
        return _prefix(self.storage, self.key_fields, self.Key, self.Prefix)

    @cached_property
    def value(self) -> Callable[..., sdk.Value]:
        """`value(**fields) -> Value`."""
        return compile_maker(self.storage, "VALUE", self.value_fields, self.Value)

    @cached_property
    def finder(self) -> Callable[[Callable[[sdk.Key], sdk.Value | None]], Find]:
        """Turns a `get(key)` into `find(WSID, **fields)`, the same in one step, and its call counter."""
        return compile_finder(self.storage, (WSID, *self.key_fields), self.Key)

    def changes(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Return *fields* by attribute, checked for an UPDATE: those that are not named stay as they are."""
        changed = {}
        for name, value in fields.items():
            if name not in self._fixers:
                raise unknown_field(self.storage, "VALUE", name, self.value_fields)
            attribute, fix = self._fixers[name]
            changed[attribute] = fix(value)
        return changed

    def attributes(self, names: Iterable[str]) -> list[str]:
        """Return the attributes of a value that fields are found under, by names that `value` took."""
        return [self._fixers[name][0] for name in names]

    def __repr__(self) -> str:
        return f"<Rows of {self.storage}>"

    def complete(self, changed: Mapping[str, object]) -> sdk.Value:
        """Return the value of what `changes` returned, or raise for a required field that is not there."""
        if not self.required <= changed.keys():
            return self.value(**changed)
        return self.Value(**changed)


def compile_rows(storage: str, key: Sequence[Field], value: Sequence[Field]) -> Rows:
    """Return the constructors for keys and values of the given fields."""
    key, value = tuple(key), tuple(value)
    _check_names(storage, "KEY", key, reserved=("WSID",))
    _check_names(storage, "VALUE", value, reserved=())
    key_class = _struct(storage, (WSID, *key), Key)
    prefix_class = cast(
        "type[Key]", msgspec.defstruct(storage, [], bases=(key_class,), frozen=True, gc=False)
    )
    value_class = _struct(storage, value, Value)
    refuse = refuser(storage)
    fixers: dict[str, tuple[str, Callable[[object], object]]] = {}
    for field in value:
        fix = field.attribute, fixer(field, refuse, in_key=False)
        fixers |= {field.name: fix, field.attribute: fix}
    return Rows(
        storage=storage,
        key_fields=key,
        value_fields=value,
        Key=key_class,
        Prefix=prefix_class,
        Value=value_class,
        fixers=fixers,
        required=frozenset(field.attribute for field in value if field.required),
    )


def _check_names(storage: str, part: str, fields: tuple[Field, ...], *, reserved: tuple[str, ...]) -> None:
    seen = set(reserved)
    for field in fields:
        # The names become Python source below: nothing else may get in.
        if not _NAME.match(field.name) or field.attribute in seen:
            why = "stands there twice or is reserved" if field.attribute in seen else "is no identifier"
            raise SchemaError(
                f"{storage}: {part} field {field.name!r} {why}",
                storage=storage,
                field=field.name,
                expected="an ASCII identifier that starts with a letter, once, other than WSID in a key",
                got=field.name,
            )
        seen.add(field.attribute)


def _struct(storage: str, fields: tuple[Field, ...], base: type) -> Any:
    own = [field for field in fields if field is not WSID]
    return msgspec.defstruct(
        storage,
        [_struct_field(field, optional=base is Value) for field in own],
        bases=(base,),
        frozen=True,
        gc=base is Value,
        rename={field.attribute: field.name for field in own if field.attribute != field.name} or None,
        omit_defaults=True,
        namespace={"__repr__": _discreet_repr} if any(field.secret for field in own) else None,
    )


def _discreet_repr(row: Any) -> str:
    # Of a row with a secret field nothing is shown: what stands beside a password is no better.
    return f"{type(row).__name__}({', '.join(f'{name}=...' for name in row.__struct_fields__)})"


def _struct_field(field: Field, *, optional: bool) -> Any:
    kind: Any = PYTHON_TYPES[field.type]
    if field.repeated:
        kind = tuple[kind, ...]
    elif not field.required:
        kind = kind | None
    if not optional:
        return field.attribute, kind | UnsetType
    return (field.attribute, kind, () if field.repeated else None)


def _prefix(storage: str, fields: tuple[Field, ...], key: Any, prefix: Any) -> Callable[..., Key]:
    refuse = refuser(storage)
    fixers = [fixer(field, refuse, in_key=True) for field in fields]
    fix_wsid = fixer(WSID, refuse, in_key=True)
    dotted = [field for field in fields if field.attribute != field.name]

    def make(wsid: object = UNSET, /, **given: object) -> Any:
        if wsid is UNSET:
            wsid = given.pop("WSID", UNSET)
        for field in dotted:
            if field.name in given:
                given[field.attribute] = given.pop(field.name)
        count = max((i + 1 for i, field in enumerate(fields) if field.attribute in given), default=0)
        values = [
            fix(given.pop(field.attribute, UNSET))
            for field, fix in zip(fields[:count], fixers[:count], strict=True)
        ]
        if given:
            raise unknown_field(storage, "KEY", next(iter(given)), fields)
        rest = [UNSET] * (len(fields) - count)
        return (prefix if rest else key)(fix_wsid(wsid), *values, *rest)

    return make
