from __future__ import annotations

import json
import math
from typing import NoReturn

from statehold.images._problem import Problem


class _RefusedError(ValueError):
    """The text is JSON by grammar, and still not accepted."""


def read_json_object(data: bytes | str, *, path: str = "") -> tuple[dict[str, object], list[Problem]]:
    """Read a JSON object strictly: UTF-8, no name twice, no NaN; return it, or {} and what is wrong.

    No message quotes the text, which may hold secrets.
    """
    repeated: list[str] = []

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in items:
            if name in found:
                repeated.append(name)
            found[name] = value
        return found

    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=_no_constant, parse_float=_float)
    except json.JSONDecodeError as error:
        message = f"no valid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError as error:
        message = f"no valid JSON: byte {error.start} is not UTF-8"
    except _RefusedError as error:
        message = f"no valid JSON: {error}"
    except RecursionError:
        message = "no usable JSON: nested too deeply"
    except ValueError:
        message = "no usable JSON: a number has too many digits"
    else:
        if not isinstance(value, dict):
            message = f"expected a JSON object, got {json_type(value)}"
        else:
            return value, [
                Problem(code="json", message=f"{name!r} is given twice", path=path, hint="keep one of them")
                for name in dict.fromkeys(repeated)
            ]
    return {}, [Problem(code="json", message=message, path=path)]


def json_type(value: object) -> str:
    """Return what JSON calls the type of *value*."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int():
            return "an integer"
        case float():
            return "a number"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case dict():
            return "an object"
        case _:
            return type(value).__name__


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _RefusedError("a number is too large")
    return value


def _no_constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is no JSON number")
