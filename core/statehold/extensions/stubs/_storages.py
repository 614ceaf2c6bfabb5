from __future__ import annotations

from collections.abc import Iterable

import attrs

from statehold.extensions._engine import Use
from statehold.extensions.stubs._text import docstring, parameters, unlike
from statehold.sdk import Field, Operation


@attrs.frozen(kw_only=True)
class Classes:
    """The names of the classes that belong to one storage or entity."""

    storage: str
    key: str
    value: str
    change: str


def storage_class(
    use: Use, names: Classes, *, doc: str, partition_key: Iterable[str] | None = None
) -> list[str]:
    """Return the class of a storage in the hands of an extension: with what is permitted, and nothing else.

    *partition_key* are the fields that a READ has to give, None where it may leave out any.
    """
    key, value = use.rows.key_fields, use.rows.value_fields
    whole = _of_key(key)
    me, a_key, a_value = (unlike(name, (*key, *value)) for name in ("self", "key", "value"))
    reads = {Operation.GET, Operation.GETBATCH} & use.allowed
    body = docstring(doc)
    body += [f"    def key({me}{whole}) -> {names.key}: ..."]
    if reads:
        body += _by_key(me, "get", key, f"{names.value} | None", names.key)
        body += _by_key(me, "must_get", key, names.value, names.key)
        body += _by_key(me, "must_not_exist", key, "None", names.key)
        body.append(
            f"    def get_many({me}, keys: Iterable[{names.key}], /) -> list[{names.value} | None]: ..."
        )
    if Operation.READ in use.allowed:
        first = tuple(partition_key or ())
        given = parameters(
            [field for field in key if field.name in first],
            [field for field in key if field.name not in first],
            workspace=True,
        )
        rows = f"Iterator[tuple[{names.key}, {names.value}]]"
        body += _overloaded(me, "read", [given, f"key: {names.key}, /"], rows)
    if Operation.INSERT in use.allowed:
        body += _overloaded(
            me,
            "insert",
            [
                parameters(
                    [field for field in (*key, *value) if field.required],
                    [field for field in (*key, *value) if not field.required],
                    workspace=True,
                ),
                f"{a_key}: {names.key}, /{_fields(value)}",
            ],
            names.change,
        )
    if Operation.UPDATE in use.allowed:
        changes = parameters((), value)
        keyed = parameters(
            [field for field in key if field.required],
            [*(field for field in key if not field.required), *value],
            workspace=True,
        )
        body += _overloaded(
            me,
            "update",
            [
                f"{a_value}: {names.value} = ..., /{keyed}",
                f"{a_key}: {names.key}, {a_value}: {names.value} = ..., /{changes}",
                f"{a_value}: {names.value}, {a_key}: {names.key}, /{changes}",
            ],
            names.change,
        )
    return [f"class {names.storage}:", *body]


def change_class(use: Use, names: Classes) -> list[str]:
    """Return the class of a change that was asked for."""
    value = use.rows.value_fields
    return [
        f"class {names.change}:",
        '    """A change that is asked for: `put` sets further fields until the function returns."""',
        f"    key: {names.key}",
        "    is_new: bool",
        f"    def put({unlike('self', value)}{parameters((), value)}) -> None: ...",
    ]


def _of_key(key: Iterable[Field]) -> str:
    fields = tuple(key)
    return parameters(
        [field for field in fields if field.required],
        [field for field in fields if not field.required],
        workspace=True,
    )


def _fields(value: Iterable[Field]) -> str:
    fields = tuple(value)
    return parameters(
        [field for field in fields if field.required], [field for field in fields if not field.required]
    )


def _by_key(me: str, method: str, key: Iterable[Field], returns: str, key_class: str) -> list[str]:
    return _overloaded(me, method, [_of_key(key), f"key: {key_class}, /"], returns)


def _overloaded(me: str, method: str, variants: list[str], returns: str) -> list[str]:
    lines = []
    for variant in variants:
        given = variant if variant.startswith(",") or not variant else f", {variant}"
        lines += ["    @overload", f"    def {method}({me}{given}) -> {returns}: ..."]
    return lines
