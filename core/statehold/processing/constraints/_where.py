from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, Final

from statehold.processing._errors import RequestError
from statehold.processing.constraints._columns import Columns
from statehold.processing.constraints._parse import Condition

Test = Callable[[Any], bool]

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def compile_where(conditions: Iterable[Condition], columns: Columns) -> Test | None:
    """Return what says whether a result fulfils all *conditions*; None where there are none.

    NULL equals NULL and nothing else; it is neither greater nor less than anything.
    """
    tests = [_test(condition, columns) for condition in conditions]
    if len(tests) < 2:
        return tests[0] if tests else None

    def test(result: Any) -> bool:
        return all(one(result) for one in tests)

    return test


def _test(condition: Condition, columns: Columns) -> Test:
    where = f"where: {condition.operator}"
    column = columns.get("where", condition.field)
    read = column.read
    if condition.operator == "$in":
        wanted = frozenset(column.literal(where, one) for one in condition.value)
        return lambda result: read(result) in wanted
    value: Any = column.literal(where, condition.value)
    if condition.operator == "$eq":
        return lambda result: bool(read(result) == value)
    if condition.operator == "$ne":
        return lambda result: bool(read(result) != value)
    if value is None:
        raise RequestError(f"{where}: {condition.field}: nothing is greater or less than null")
    compare = _COMPARE[condition.operator]

    def test(result: Any) -> bool:
        found = read(result)
        return found is not None and compare(found, value)

    return test


def fixed(conditions: Iterable[Condition], columns: Columns, name: str) -> list[Any] | None:
    """Return the values that *conditions* leave to a field by `$eq` and `$in`, None where they leave all."""
    values: list[Any] | None = None
    for condition in conditions:
        if condition.field != name or condition.operator not in ("$eq", "$in"):
            continue
        column = columns.get("where", name)
        given = condition.value if condition.operator == "$in" else [condition.value]
        found = list(dict.fromkeys(column.literal(f"where: {condition.operator}", one) for one in given))
        values = found if values is None else [one for one in values if one in found]
    return values
