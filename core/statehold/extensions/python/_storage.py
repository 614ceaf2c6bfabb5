from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar, NoReturn

from statehold.extensions._engine import Use
from statehold.extensions.python._getters import compile_getters
from statehold.extensions.python._taker import compile_taker
from statehold.sdk import UNSET, Key, Operation, SchemaError, Value
from statehold.state import METHODS, Rows, State, ValueBuilder


class Storage:
    """One storage, or one table or view of a storage, in the hands of an extension.

    The fields of KEY and VALUE are named: `call.Rates.get(Currency="EUR")`. A key is of the workspace of the
    call, unless `WSID=` names another. Instead of the fields of the key, a key may be given that `key` or
    `read` returned. Values have an attribute per field, None where nothing is set; those of the system have
    an underscore for the dot: `record.sys_ID`, and those that Python has taken one at their end: `class_`.

    `key(...)` makes a key, `get(...)` and `must_get(...)` find the value under one, None or NotExistsError
    where there is none; all three take the fields of the key by name.
    """

    __slots__ = ("_state",)

    _use: ClassVar[Use]
    _key: ClassVar[Callable[..., Key]]
    _prefix: ClassVar[Callable[..., Key]]
    _rows: ClassVar[Rows]
    _take: ClassVar[staticmethod[[dict[str, object], int], Key]]

    def __init__(self, state: State) -> None:
        self._state = state

    # Compiled for each storage, with its fields as parameters: `compile_getters`.

    if TYPE_CHECKING:

        def key(self, **fields: object) -> Key:
            """Return the key of one row, to be used again or for `get_many`."""

        def get(self, key: Key | None = None, /, **fields: object) -> Value | None:
            """Return the value under a key, or None where there is none."""

        def must_get(self, key: Key | None = None, /, **fields: object) -> Value:
            """Return the value under a key, or raise NotExistsError."""

    def must_not_exist(self, key: Key | None = None, /, **fields: object) -> None:
        """Raise ExistsError if there is a value under a key."""
        if key is None:
            key = self.key(**fields)
        elif fields or key.__class__ is not self._rows.Key:
            self._refuse_key(key, fields)
        self._state.must_not_exist(key)

    def get_many(self, keys: Iterable[Key], /) -> list[Value | None]:
        """Return a value or None per key, in the order of *keys*; at once, where the storage can do that."""
        return self._state.get_all(keys)

    def read(self, key: Key | None = None, /, **fields: object) -> Iterator[tuple[Key, Value]]:
        """Yield key and value of each row whose key begins with the fields given; stop at any row."""
        state = self._state
        if key is None:
            key = self._prefix(fields.pop("WSID", state.call.workspace), **fields)
        elif fields or key.__class__ not in (self._rows.Key, self._rows.Prefix):
            self._refuse_key(key, fields)
        return state.read(key)

    def insert(self, key: Key | None = None, /, **fields: object) -> ValueBuilder:
        """Ask for a row, which replaces one that is there; fields of key and value stand side by side.

        A field that KEY and VALUE share is set in both. What is returned takes further fields by `put`.
        """
        state = self._state
        given = tuple(fields)
        try:
            if key is None:
                key = self._take(fields, state.call.workspace)
            elif key.__class__ is not self._rows.Key:
                self._stranger(key)
            return state.insert(key, fields)
        except SchemaError:
            self._refuse_unknown(given)
            raise

    def update(self, *in_hand: Key | Value, **fields: object) -> ValueBuilder:
        """Ask for a change of the fields named; all others stay as they are.

        What is in hand comes first: the key, the value as it is now, or both. A value that is not given is
        looked up, and NotExistsError raised where there is none.
        """
        state, rows = self._state, self._rows
        key, value = None, None
        for each in in_hand:
            if each.__class__ is rows.Value:
                value = each
            elif each.__class__ is rows.Key:
                key = each
            else:
                self._stranger(each)
        given = tuple(fields)
        try:
            if key is None:
                key = self._take(fields, state.call.workspace)
            return state.update_value(key, value or state.must_exist(key), **fields)
        except SchemaError as error:
            self._refuse_unknown(given)
            if key is None and value is not None and not error.hint:
                # Its key could not be made: what is wrong with VALUE is found later.
                raise SchemaError(
                    error.message,
                    storage=error.storage,
                    field=error.field,
                    expected=error.expected,
                    got=error.got,
                    hint="A value does not know its key: name the fields of the key beside it",
                ) from None
            raise

    def _refuse_unknown(self, given: Iterable[str]) -> None:
        """Say so where a name is of no field at all: a field of the key that is missing may be that one."""
        rows = self._rows
        names = list(dict.fromkeys(field.attribute for field in (*rows.key_fields, *rows.value_fields)))
        dotted = [field.name for field in (*rows.key_fields, *rows.value_fields)]
        for name in given:
            if name not in names and name not in dotted and name != "WSID":
                near = get_close_matches(name, names, n=1)
                raise SchemaError(
                    f"{rows.storage}: neither KEY nor VALUE has a field {name!r}",
                    storage=rows.storage,
                    field=name,
                    expected=f"one of {', '.join(names)}",
                    got=name,
                    hint=f"Did you mean {near[0]!r}?" if near else f"They have: {', '.join(names)}",
                ) from None

    def _refuse_key(self, key: object, fields: Mapping[str, object]) -> NoReturn:
        named = [name for name, value in fields.items() if value is not None and value is not UNSET]
        if not named:
            self._stranger(key)
        raise SchemaError(
            f"{self._rows.storage}: a key is given, and fields beside it: {', '.join(named)}",
            storage=self._rows.storage,
            field=named[0],
            expected="a key, or the fields of one",
            got=None,
            hint="Leave one of them out",
        )

    def _stranger(self, got: object) -> NoReturn:
        fields = ", ".join(f"{field.attribute}=..." for field in self._rows.key_fields)
        raise SchemaError(
            f"{self._rows.storage}: expected what this storage made, or fields by name, got {got!r:.80}",
            storage=self._rows.storage,
            field="",
            expected="what key(), get() or read() of this storage returned",
            got=got,
            hint=f"Name the fields: {fields}" if fields else "",
        )

    def _instead_of(self, name: str) -> str:
        """Return how to mend the use of an attribute that there is not."""
        # Not by `__getattr__`: with one, every attribute that there is costs more.
        allowed = self._use.allowed
        names = ["key", *(each for each, some in _METHODS.items() if not allowed.isdisjoint(some))]
        near = get_close_matches(name, names, n=1)
        return f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(names)}"

    def __repr__(self) -> str:
        return f"<{self._rows.storage} of {self._state.name}>"


_METHODS: Mapping[str, tuple[Operation, ...]] = {
    "get": (Operation.GET, Operation.GETBATCH),
    "must_get": (Operation.GET, Operation.GETBATCH),
    "must_not_exist": (Operation.GET, Operation.GETBATCH),
    "get_many": (Operation.GETBATCH, Operation.GET),
    "read": (Operation.READ,),
    "insert": (Operation.INSERT,),
    "update": (Operation.UPDATE,),
}


def compile_storage(name: str, use: Use) -> type[Storage]:
    """Return the class of one storage in the hands of one extension, called *name*."""
    rows = use.rows
    namespace = {
        "__slots__": (),
        "__doc__": _described(use),
        "_use": use,
        "_rows": rows,
        "_key": staticmethod(rows.key),
        "_prefix": staticmethod(rows.prefix),
        "_take": staticmethod(compile_taker(rows)),
        **compile_getters(rows),
        **{
            method: _denied(use, operations[0])
            for method, operations in _METHODS.items()
            if use.allowed.isdisjoint(operations)
        },
    }
    return type(name, (Storage,), namespace)


def _denied(use: Use, operation: Operation) -> Callable[..., NoReturn]:
    def denied(self: Storage, *_: object, **__: object) -> NoReturn:
        # The facade's own refusal, which says what to declare, and is counted.
        getattr(self._state.uses.slot(use.storage, use.entity), METHODS[operation])()
        raise AssertionError(operation)

    return denied


def _described(use: Use) -> str:
    key = ", ".join(map(str, use.rows.key_fields)) or "no fields"
    value = ", ".join(map(str, use.rows.value_fields)) or "no fields"
    return f"{use.rows.storage}: {', '.join(sorted(use.allowed))}. KEY ({key}), VALUE ({value})."
