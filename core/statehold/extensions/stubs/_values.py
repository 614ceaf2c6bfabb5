from __future__ import annotations

from collections.abc import Iterable, Mapping

from statehold.extensions.stubs._text import accepted, described, docstring, type_of
from statehold.sdk import Field


def value_class(
    name: str, base: str, fields: Iterable[Field], *, doc: str, nested: Mapping[str, str] | None = None
) -> list[str]:
    """Return the class of keys or values with the given fields; *nested* names the classes of containers."""
    nested = nested or {}
    body = docstring(doc)
    for field in fields:
        inner = nested.get(field.name)
        kind = type_of(field) if inner is None else f"tuple[{inner}, ...]"
        body += [f"    {field.attribute}: {kind}", f'    """{described(field)}"""']
    return [f"class {name}({base}, frozen=True):", *(body or ["    ..."])]


def dict_class(name: str, fields: Iterable[Field], *, doc: str, nested: Mapping[str, str]) -> list[str]:
    """Return the dict that may be given for a value: what is NULL may be left out."""
    kinds = {}
    names_are_plain = True
    for field in fields:
        if "." in field.name:
            continue
        names_are_plain = names_are_plain and field.attribute == field.name
        inner = nested.get(field.name)
        kind = accepted(field) if inner is None else f"Sequence[{inner}]"
        kinds[field.name] = kind if field.required else f"NotRequired[{kind}]"
    if names_are_plain:
        body = [*docstring(doc), *(f"    {field}: {kind}" for field, kind in kinds.items())]
        return [f"class {name}(TypedDict):", *(body or ["    ..."])]
    entries = ", ".join(f'"{field}": {kind}' for field, kind in kinds.items())
    return [f'{name} = TypedDict("{name}", {{{entries}}})', f'"""{doc}"""']
