from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from statehold.events._anything import MAX_DEPTH, is_deep
from statehold.events._patterns import compile_pattern
from statehold.sdk import DataType, Entity, Field, SchemaError, Value
from statehold.state import Rows, share_rows
from statehold_vsql.appdef import ContainerDef, FieldDef, QName, TableDef, TypeDef, ViewDef

encode: Final[Callable[[object], bytes]] = msgspec.msgpack.Encoder().encode
decode: Final[Callable[[bytes | msgspec.Raw], Any]] = msgspec.msgpack.Decoder().decode

Definition: TypeAlias = TableDef | ViewDef | TypeDef
#: Returns what a table or type that is nested looks like.
ShapeOf: TypeAlias = Callable[[QName], "Shape"]


class Shape:
    """What a table, view or type of the app looks like: its values in memory, in the row store and as JSON.

    As JSON, a value is an object by field name without the fields that are NULL. A `bytes` is base64 text,
    a `qname` is text, `timestamp` (milliseconds) and `money` (ten-thousandths) are integers, and nested
    values are lists of objects. In the row store it is the same as msgpack, with bytes as they are. A
    version of the app drops the fields that it does not know, and finds NULL in those that a row does not
    have, or has in a type that does not fit.

    Attributes:
        name: the qualified name, `bills.Bill`.
        definition: its definition.
        rows: the constructors of its keys and values.
        tree: the constructors of its values with all that is nested in them; `rows` where nothing is, and
            for types.
        is_bare: whether `check` has nothing to look at.
        verifiable: the fields that a request does not set, only an extension that has seen a proof.

    """

    def __init__(
        self,
        definition: Definition,
        shape_of: ShapeOf,
        *,
        key: Sequence[Field] = (),
        system: Sequence[Field] = (),
        fields: Sequence[FieldDef] = (),
        containers: Sequence[ContainerDef] = (),
    ) -> None:
        self.name = str(definition.name)
        self.definition = definition
        self.verifiable = frozenset(field.name for field in fields if field.verifiable)
        self._shape_of = shape_of
        self._containers = containers
        plain = [*system, *map(_optional, fields)]
        nested = [
            Field(each.name, DataType.OBJECT, required=each.required, repeated=True) for each in containers
        ]
        is_type = isinstance(definition, TypeDef)
        self.rows: Rows = share_rows("entity", self.name, key, [*plain, *nested] if is_type else plain)
        self.tree: Rows = self.rows
        if nested and not is_type:
            self.tree = share_rows("entity", self.name, (), [*plain, *nested])
        self._bytes = tuple(field.name for field in fields if field.field.type is DataType.BYTES)
        self._is_plain = not (self._bytes or self.verifiable or containers)
        self._defaults = self._fixed_defaults(fields)
        self._patterns: list[tuple[str, str, Callable[[Any], object]]] = [
            (field.name, field.pattern, compile_pattern(field.pattern, entity=self.name, field=field.name))
            for field in fields
            if field.pattern is not None
        ]
        self.is_bare = self._is_plain and not self._defaults and not self._patterns
        self._decoder: Callable[[bytes | msgspec.Raw], Value] = msgspec.msgpack.Decoder(
            self.rows.Value
        ).decode

    @cached_property
    def containers(self) -> Mapping[str, Shape]:
        """The shapes that are nested, by name of the container."""
        return {each.name: self._shape_of(each.type) for each in self._containers}

    @cached_property
    def entity(self) -> Entity:
        """The shape as a storage sees it."""
        rows = self.rows
        return Entity(
            name=self.name,
            definition=self.definition,
            key=rows.key_fields,
            value_fields=rows.value_fields,
            key_class=rows.Key,
            prefix_class=rows.Prefix,
            value_class=rows.Value,
            value=rows.value,
        )

    def from_json(self, given: Mapping[str, Any]) -> Value:
        """Return the value that a JSON object says, with what is nested in it, checked.

        Raises:
            SchemaError: something does not fit; `field` says where, such as `Lines[2].Price`.

        """
        if self.is_bare and type(given) is dict:
            return self.rows.value(**given)
        if self._is_recursive and is_deep(given):
            raise self._refusal("", f"at most {MAX_DEPTH} levels", "more")
        return self._from_json(given)

    def changes_from_json(self, given: Mapping[str, Any]) -> dict[str, object]:
        """Return the fields of a change that a JSON object says, by attribute, None for those to clear."""
        if type(given) is not dict:
            raise self._refusal("", "an object", given)
        return self.check_changes(self.rows.changes(self._plain(given)))

    def to_json(self, value: Value) -> dict[str, Any]:
        """Return a value as a JSON object; `msgspec.json.encode(value)` writes the same at once."""
        made: dict[str, Any] = msgspec.to_builtins(value)
        return made

    def encode(self, value: Value) -> bytes:
        """Return a value as it stands in the row store."""
        return encode(value)

    def decode(self, data: bytes | msgspec.Raw) -> Value:
        """Return the value that `encode` of any version of the app made *data* of."""
        try:
            value = self._decoder(data)
        except msgspec.ValidationError:
            value = self.of_fields(decode(data))
        return self._nest(value) if self._containers and self.tree is self.rows else value

    def decode_tree(self, data: bytes | msgspec.Raw) -> Value:
        """Return the value of `tree` that `encode` of any version of the app made *data* of."""
        return self.decode(data) if self.tree is self.rows else self._of_map(decode(data))

    def of_fields(self, fields: Mapping[str, Any]) -> Value:
        """Return the value of fields by name, without those that are unknown or do not fit."""
        return _fitting(fields, self.rows.Value)

    def check(self, value: Value) -> Value:
        """Return *value* with its defaults and nested values, having held it against all CHECKs.

        Raises:
            SchemaError: a field does not match its pattern, or a nested value is wrong.

        """
        if self.is_bare:
            return value
        if self._containers and type(value) is self.tree.Value:
            made = {
                name: self._each(name, nested, shape.made)
                for name, shape in self.containers.items()
                if (nested := getattr(value, name))
            }
            if made:
                value = msgspec.structs.replace(value, **made)
        return self._complete(value)

    def check_changes(self, changes: dict[str, object]) -> dict[str, object]:
        """Return *changes*, having held them against all CHECKs."""
        for name, pattern, is_found in self._patterns:
            text = changes.get(name)
            if text is not None and not is_found(text):
                raise self._mismatch(name, pattern, text)
        return changes

    def made(self, value: Value | Mapping[str, Any]) -> Value:
        """Return *value*, or the value of the fields in a mapping, checked."""
        if isinstance(value, Mapping):
            value = self.tree.value(**value)
        elif not isinstance(value, (self.tree.Value, self.rows.Value)):
            raise self._refusal("", f"a value of {self.name}", value)
        return self.check(value)

    def _from_json(self, given: Mapping[str, Any]) -> Value:
        if type(given) is not dict:
            raise self._refusal("", "an object", given)
        if not self._is_plain:
            given = self._plain(given)
            for name, shape in self.containers.items():
                if given.get(name) is not None:
                    given[name] = self._each(name, given[name], shape._from_json)  # noqa: SLF001 - of its own kind
        return self._complete(self.tree.value(**given))

    def _plain(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of a JSON object with bytes as bytes, and none that would have to be proven."""
        fields = dict(given)
        for name in self._bytes:
            if fields.get(name) is not None:
                fields[name] = self._bytes_from_json(name, fields[name])
        for name in self.verifiable:
            if fields.get(name) is not None:
                raise self._refusal(
                    name,
                    "no value from a request (the field is VERIFIABLE)",
                    fields[name],
                    hint="an extension of the app sets it, once it has seen a proof",
                )
        return fields

    @cached_property
    def _is_recursive(self) -> bool:
        """Whether a value may have one of its own shape within it."""
        seen: set[str] = set()
        waiting = list(self.containers.values())
        while waiting:
            shape = waiting.pop()
            if shape is self:
                return True
            if shape.name not in seen:
                seen.add(shape.name)
                waiting += shape.containers.values()
        return False

    def _complete(self, value: Value) -> Value:
        """Return *value* with its defaults, having held its own fields against their CHECKs."""
        for name, default in self._defaults.items():
            if getattr(value, name) is None:
                value = msgspec.structs.replace(value, **{name: default})
        for name, pattern, is_found in self._patterns:
            text = getattr(value, name)
            if text is not None and not is_found(text):
                raise self._mismatch(name, pattern, text)
        return value

    def _each(self, name: str, given: Any, make: Callable[[Any], Value]) -> tuple[Value, ...]:
        many = given if isinstance(given, (list, tuple)) else (given,)
        values = []
        for place, one in enumerate(many):
            try:
                values.append(make(one))
            except SchemaError as error:
                at = f"{name}[{place}]"
                raise SchemaError(
                    f"{self.name}: {at}: {error.message}",
                    storage=self.name,
                    field=f"{at}.{error.field}" if error.field else at,
                    expected=error.expected,
                    got=error.got,
                    hint=error.hint,
                ) from error
        return tuple(values)

    def _bytes_from_json(self, name: str, given: object) -> bytes:
        try:
            if isinstance(given, str):
                return binascii.a2b_base64(given, strict_mode=True)
        except ValueError:
            pass
        raise self._refusal(name, "bytes as base64 text", given)

    def _nest(self, value: Value) -> Value:
        nested = {
            name: tuple(map(shape._of_map, getattr(value, name)))  # noqa: SLF001 - of its own kind
            for name, shape in self.containers.items()
        }
        return msgspec.structs.replace(value, **nested)

    def _of_map(self, fields: Mapping[str, Any]) -> Value:
        value = _fitting(fields, self.tree.Value)
        return self._nest(value) if self._containers else value

    def _fixed_defaults(self, fields: Sequence[FieldDef]) -> dict[str, object]:
        defaults: dict[str, object] = {
            field.name: bool(field.default) if field.field.type is DataType.BOOL else field.default
            for field in fields
            if field.default is not None
        }
        return self.rows.changes(defaults)

    def _mismatch(self, name: str, pattern: str, text: object) -> SchemaError:
        return self._refusal(name, f"text that matches {pattern!r}", text)

    def _refusal(self, field: str, expected: str, got: object, *, hint: str = "") -> SchemaError:
        where = f"field {field}: " if field else ""
        return SchemaError(
            f"{self.name}: {where}expected {expected}, got {got!r:.80}",
            storage=self.name,
            field=field,
            expected=expected,
            got=got,
            hint=hint,
        )


def _optional(definition: FieldDef) -> Field:
    """Return the field as it may be given: one with a DEFAULT may be left out."""
    field = definition.field
    return attrs.evolve(field, required=False) if definition.default is not None else field


def _fitting(fields: Mapping[str, Any], kind: type[Value]) -> Value:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError:
        return msgspec.convert({name: one for name, one in fields.items() if _fits(name, one, kind)}, kind)


def _fits(name: str, value: object, kind: type[Value]) -> bool:
    try:
        msgspec.convert({name: value}, kind)
    except msgspec.ValidationError:
        return False
    return True
