from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getsizeof
from typing import Final

from statehold.sdk import DataType, Field, Key, Value

# What one entry takes beside its objects: the cache's node and table slot, with room to grow.
_NODE: Final = 128
_NUMBER: Final = 32
_STRUCT: Final = 32
_POINTER: Final = 8
# Memory is handed out in multiples of this.
_GRAIN: Final = 16

_FREE: Final = (DataType.BOOL,)
_VARYING: Final = (DataType.TEXT, DataType.QNAME, DataType.BYTES)


def entry_size(key: Sequence[Field], value: Sequence[Field]) -> Callable[[Key, Value], int]:
    """Return a function that says how many bytes an entry takes, never less than it really does.

    Numbers are counted as if each were an object of its own; texts and bytes as Python holds them.
    """
    fields = (*key, *value)
    numbers = 1 + sum(1 for field in fields if field.type not in (*_FREE, *_VARYING))  # 1: the key's WSID
    fixed = _NODE + 2 * _STRUCT + _POINTER * (1 + len(fields)) + _NUMBER * numbers
    in_key = [field.name for field in key if _varies(field)]
    in_value = [field.name for field in value if _varies(field)]

    def size(key: Key, value: Value) -> int:
        total = fixed
        for name in in_key:
            total += _object_size(getattr(key, name))
        for name in in_value:
            total += _object_size(getattr(value, name))
        return total

    return size


def _varies(field: Field) -> bool:
    return field.repeated or field.type in _VARYING


def _object_size(held: object) -> int:
    if held is None:
        return 0
    total = -(-getsizeof(held) // _GRAIN) * _GRAIN
    if isinstance(held, tuple):
        total += sum(map(_object_size, held))
    return total
