from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs

from statehold.processing._errors import RequestError
from statehold.processing.constraints._paths import Path, paths

_NAMES: Final = ("order", "limit", "skip", "include", "keys", "where")
_MOST: Final = 2**31
_OPERATORS: Final = ("$eq", "$in", "$gt", "$gte", "$lt", "$lte", "$ne")
_LONGEST_LIST: Final = 1000


@attrs.frozen
class Order:
    """One field to order by."""

    field: str
    descending: bool = False


@attrs.frozen
class Condition:
    """One comparison of a field with what the request says; *value* is a list for `$in`."""

    field: str
    operator: str
    value: Any


@attrs.frozen(kw_only=True)
class Constraints:
    """What of the results a request wants, and in which order; not yet held against any fields."""

    order: tuple[Order, ...] = ()
    limit: int | None = None
    skip: int = 0
    include: tuple[Path, ...] = ()
    keys: tuple[Path, ...] = ()
    where: tuple[Condition, ...] = ()


#: What a request without any wants.
NO_CONSTRAINTS: Final = Constraints()


def parse_constraints(given: Mapping[str, Any] | None) -> Constraints:
    """Return the constraints of a request, each as the text of a parameter or as a JSON value.

    Raises:
        RequestError: there is no such constraint, or it is not written so.

    """
    if not given:
        return NO_CONSTRAINTS
    for name in given:
        if name not in _NAMES:
            raise RequestError(f"{name!r} is no constraint", hint=f"There are {', '.join(_NAMES)}")
    found: dict[str, Any] = {}
    for name in ("limit", "skip"):
        if given.get(name) is not None:
            found[name] = _count(name, given[name])
    for name in ("include", "keys"):
        if given.get(name):
            found[name] = paths(name, _list(name, given[name]))
    if given.get("order"):
        found["order"] = tuple(_order(one) for one in _list("order", given["order"]).split(","))
    if given.get("where") is not None:
        found["where"] = tuple(_where(given["where"]))
    return Constraints(**found)


def _count(name: str, given: object) -> int:
    number: object = given
    if isinstance(given, str) and given.isascii() and given.isdigit():
        number = int(given[:20])
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < _MOST:
        raise RequestError(f"{name}: expected a whole number from 0 to {_MOST - 1}, got {given!r:.80}")
    return number


def _list(name: str, given: object) -> str:
    if isinstance(given, (list, tuple)) and all(isinstance(one, str) for one in given):
        return ",".join(given)
    if not isinstance(given, str):
        raise RequestError(f"{name}: expected names separated by commas, got {given!r:.80}")
    return given


def _order(text: str) -> Order:
    text = text.strip()
    descending = text.startswith("-")
    (path,) = paths("order", text.removeprefix("-"))
    if len(path) > 1:
        raise RequestError(
            f"order: {text!r:.80} is inside of another field", hint="Order by fields of the results"
        )
    return Order(path[0], descending)


def _where(given: object) -> list[Condition]:
    if isinstance(given, (str, bytes)):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise RequestError(f"where: expected a JSON object, got {given!r:.80}") from None
    if not isinstance(given, Mapping):
        raise RequestError(f"where: expected a JSON object, got {given!r:.80}")
    return [condition for field, wanted in given.items() for condition in _conditions(str(field), wanted)]


def _conditions(field: str, wanted: object) -> list[Condition]:
    if not isinstance(wanted, Mapping):
        if isinstance(wanted, (list, tuple)):
            raise RequestError(
                f"where: {field}: expected a value or operators, got a list", hint='Write {"$in": [...]}'
            )
        return [Condition(field, "$eq", wanted)]
    if not wanted:
        raise RequestError(f"where: {field}: there is no operator", hint=f"There are {', '.join(_OPERATORS)}")
    found = []
    for operator, value in wanted.items():
        if operator not in _OPERATORS:
            raise RequestError(
                f"where: {field}: {operator!r:.80} is no operator", hint=f"There are {', '.join(_OPERATORS)}"
            )
        if operator == "$in" and not isinstance(value, (list, tuple)):
            raise RequestError(f"where: {field}: $in: expected a list, got {value!r:.80}")
        if operator == "$in" and len(value) > _LONGEST_LIST:
            raise RequestError(f"where: {field}: $in has {len(value)} values, more than {_LONGEST_LIST}")
        found.append(Condition(field, operator, value))
    return found
