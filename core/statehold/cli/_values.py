from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

import click


def to_json(value: Any) -> Any:
    """Return *value* in the words of JSON: bytes as `{"base64": ...}`, odd floats as `{"float": "nan"}`."""
    if isinstance(value, Mapping):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(to_json(item) for item in value)
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value) if isinstance(value, PurePath) else repr(value)


def from_json(text: str, *, option: str) -> dict[str, Any]:
    """Read a JSON object that a person typed, with the two forms of `to_json` turned back."""
    try:
        value = json.loads(text, object_pairs_hook=_restore)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error).partition(";")[0]
        raise click.BadParameter(
            f"""not JSON: {why}. Write it like '{{"Device": "oven-1"}}'.""", param_hint=option
        ) from None
    if not isinstance(value, dict):
        raise click.BadParameter(
            f'expected a JSON object, got {text[:40]!r}. Write it like \'{{"Device": "oven-1"}}\'.',
            param_hint=option,
        )
    return value


def _restore(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice")
    match found:
        case {"base64": str(text), **rest} if not rest:
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as error:
                raise ValueError(f"{text[:40]!r} is not base64 ({error})") from None
        case {"float": ("nan" | "inf" | "-inf") as text, **rest} if not rest:
            return float(text)
    return found
