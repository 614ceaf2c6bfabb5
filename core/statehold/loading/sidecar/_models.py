"""The config models of a sidecar's providers, as its host rebuilds them.

So hosting reads a config in the same way, with the same words for what is wrong, whatever the isolation. What
only the model's own code can check, the rebuilt one asks the sidecar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, Literal, Union

import msgspec
from msgspec import inspect

from statehold.sdk import PluginError, Secret

_SIMPLE: Final[Mapping[str, Any]] = {
    "AnyType": Any,
    "BoolType": bool,
    "BytesType": bytes,
    "FloatType": float,
    "IntType": int,
    "NoneType": None,
    "StrType": str,
}
_MANY: Final[Mapping[str, Any]] = {
    "ListType": list,
    "SetType": set,
    "FrozenSetType": frozenset,
    "VarTupleType": tuple,
}
_BOUNDS: Final = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length")

Check = Callable[[Mapping[str, Any]], None]


def model_told(model: type) -> dict[str, Any]:
    """Return the fields of a config model: a msgspec.Struct, an attrs class or a dataclass.

    Raises:
        PluginError: it is none of them.

    """
    try:
        info = inspect.type_info(model)
    except (TypeError, NameError) as error:
        raise PluginError(f"the config model {model.__name__}: {error}") from error
    if not isinstance(info, (inspect.StructType, inspect.DataclassType)):
        raise PluginError(f"the config model {model.__name__} is no class with fields")
    return _told_class(info)


def _told_class(info: Any) -> dict[str, Any]:
    return {
        "kind": "class",
        "name": info.cls.__name__,
        "tag": [info.tag_field, info.tag] if getattr(info, "tag_field", None) else None,
        "fields": [[one.name, one.encode_name, one.required, _told(one.type)] for one in info.fields],
    }


def _told(info: Any) -> dict[str, Any]:
    kind = type(info).__name__
    match info:
        case inspect.StructType() | inspect.DataclassType():
            return _told_class(info)
        case inspect.UnionType(types=types):
            return {"kind": "union", "types": [*map(_told, types)]}
        case inspect.LiteralType(values=values):
            return {"kind": "literal", "values": [*values]}
        case inspect.EnumType(cls=cls):
            return {"kind": "literal", "values": [one.value for one in cls]}
        case inspect.DictType(key_type=key, value_type=value):
            return {"kind": "dict", "types": [_told(key), _told(value)]}
        case inspect.TupleType(item_types=types):
            return {"kind": "tuple", "types": [*map(_told, types)]}
        case inspect.CustomType(cls=cls) if cls is Secret:
            return {"kind": "secret"}
        case inspect.Metadata(type=inner):
            return _told(inner)
        case _ if kind in _MANY:
            return {"kind": kind, "types": [_told(info.item_type)], "bounds": _bounds(info)}
        case _ if kind in _SIMPLE:
            return {"kind": kind, "bounds": _bounds(info)}
    # Everything else the sidecar judges alone.
    return {"kind": "AnyType"}


def _bounds(info: Any) -> dict[str, Any]:
    return {name: value for name in _BOUNDS if (value := getattr(info, name, None)) is not None}


def model_made(told: Mapping[str, Any], check: Check) -> type:
    """Return the config model; each instance of it has passed *check*, which gets what was set."""
    return _made_class(told, check)


def _made_class(told: Mapping[str, Any], check: Check | None = None) -> type:
    fields: list[Any] = []
    rename = {}
    if not told["name"].isidentifier():
        raise ValueError(f"{told['name']!r:.80} is no name of a config model")
    for name, encoded, required, kind in told["fields"]:
        if not (name.isidentifier() and encoded.isprintable()):
            raise ValueError(f"{told['name']}: {name!r:.80} ({encoded!r:.80}) is no name of a field")
        made = _made(kind)
        fields.append((name, made) if required else (name, Union[made, msgspec.UnsetType], msgspec.UNSET))  # noqa: UP007 - made at run time
        if encoded != name:
            rename[name] = encoded
    namespace: dict[str, Any] = {}
    if check is not None:
        namespace["__post_init__"] = lambda self: check(config_told(self))
    tag_field, tag = told["tag"] or (None, None)
    return msgspec.defstruct(
        told["name"],
        fields,
        frozen=True,
        kw_only=True,
        rename=rename or None,
        namespace=namespace,
        tag_field=tag_field,
        tag=tag,
    )


def _made(told: Mapping[str, Any]) -> Any:
    kind = told["kind"]
    if kind == "class":
        return _made_class(told)
    if kind == "secret":
        return Secret
    if kind == "literal":
        return Literal[tuple(told["values"])]
    types = [_made(one) for one in told.get("types", ())]
    if kind == "union":
        return reduce(or_, types)
    if kind == "dict":
        return dict[types[0], types[1]]  # type: ignore[valid-type]
    if kind == "tuple":
        return tuple[tuple(types)]  # type: ignore[misc]
    if kind in _MANY:
        made = _MANY[kind][(types[0], ...) if kind == "VarTupleType" else types[0]]
    else:
        made = _SIMPLE[kind]
    return _bound(made, told.get("bounds", {}))


def _bound(made: Any, bounds: Mapping[str, Any]) -> Any:
    known = {name: value for name, value in bounds.items() if name in _BOUNDS}
    return Annotated[made, msgspec.Meta(**known)] if known else made


def config_told(config: Any) -> dict[str, Any]:
    """Return what is set in a config as plain data, secrets included."""
    told: dict[str, Any] = msgspec.to_builtins(config, enc_hook=_revealed)
    return told


def _revealed(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError(f"a {type(value).__name__} cannot be sent to a sidecar")
