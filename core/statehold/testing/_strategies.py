from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from statehold.sdk import DataType, Field
from statehold.state import int_range


def values_of(field: Field) -> SearchStrategy[Any]:
    """Return a strategy for what *field* holds."""
    one = _values_of(field)
    if field.repeated:
        return st.lists(one, min_size=int(field.required), max_size=3).map(tuple)
    return one if field.required else st.none() | one


def _values_of(field: Field) -> SearchStrategy[Any]:
    bound = int_range(field.type)
    if bound is not None:
        return st.integers(*bound)
    longest = 20 if field.max_length is None else min(20, field.max_length)
    match field.type:
        case DataType.BOOL:
            return st.booleans()
        case DataType.FLOAT32:
            return st.floats(width=32, allow_nan=False, allow_infinity=False)
        case DataType.FLOAT64:
            return st.floats(allow_nan=False, allow_infinity=False)
        case DataType.BYTES:
            return st.binary(max_size=longest)
        case DataType.QNAME:
            return st.sampled_from(["a.b", "test.Name", "test.name"])
        case DataType.OBJECT:
            return st.dictionaries(
                st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3
            )
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=longest)
