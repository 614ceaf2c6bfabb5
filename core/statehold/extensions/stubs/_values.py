from __future__ import annotations

from collections.abc import Iterable, Mapping

from statehold.extensions.stubs._text import accepted, can_be_named, described, docstring, type_of
from statehold.sdk import Field


def value_class(
    name: str, base: str, fields: Iterable[Field], *, doc: str, nested: Mapping[str, str] | None = None
) -> list[str]:
    """Return the class of keys or values with the given fields; *nested* names the classes of containers."""
    nested = nested or {}
    body = docstring(doc)
    hidden = []
    for field in fields:
        if not can_be_named(field):
            hidden.append(field.name)
            continue
        inner = nested.get(field.name)
        kind = type_of(field) if inner is None else f"tuple[{inner}, ...]"
        body += [f"    {field.attribute}: {kind}", f'    """{described(field)}"""']
    if hidden:
        names = ", ".join(f'["{name}"]' for name in hidden)
        body.append(f"    # read as {names}: Python has the name for itself")
    return [f"class {name}({base}, frozen=True):", *(body or ["    ..."])]


def dict_class(name: str, fields: Iterable[Field], *, doc: str, nested: Mapping[str, str]) -> list[str]:
    """Return the dict that may be given for a value: what is NULL may be left out."""
    body = docstring(doc)
    for field in fields:
        if can_be_named(field) and field.attribute == field.name:
            inner = nested.get(field.name)
            kind = accepted(field) if inner is None else f"Sequence[{inner}]"
            body.append(f"    {field.name}: {kind if field.required else f'NotRequired[{kind}]'}")
    return [f"class {name}(TypedDict):", *(body or ["    ..."])]
