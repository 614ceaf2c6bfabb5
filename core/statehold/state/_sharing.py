from __future__ import annotations

import threading
from collections.abc import Sequence
from types import NoneType
from typing import Final, Literal
from weakref import WeakValueDictionary

import msgspec

from statehold.sdk import Field
from statehold.state._rows import Rows, compile_rows

#: Whether keys and values are of a storage or of an entity: the two may have the same name and fields.
Owner = Literal["storage", "entity"]

_known: Final[WeakValueDictionary[tuple[object, ...], Rows]] = WeakValueDictionary()
_compiling: Final = threading.Lock()


def share_rows(owner: Owner, name: str, key: Sequence[Field], value: Sequence[Field]) -> Rows:
    """Return the constructors for keys and values, the same ones to all versions that declare them alike.

    Most of what a version declares is as in the one before, and in every app `sys` is: what is compiled
    anew costs each deploy time, memory, and a longer search for garbage when the version is freed.
    """
    # Fields that are equal may still differ in that.
    secret = tuple(field.secret for field in (*key, *value))
    wanted = owner, name, tuple(key), tuple(value), secret
    with _compiling:
        rows = _known.get(wanted)
        if rows is None:
            rows = compile_rows(name, key, value)
            for kind in (rows.Key, rows.Value):
                # msgspec learns a type here: in two threads at once it would bring the process to an end, and
                # plugins of two versions may decode the same one.
                msgspec.msgpack.Decoder(kind)
            # A name may be of a plugin's own class, such as an enum: shared, it would keep that plugin alive.
            if all(map(_is_plain, (*key, *value))):
                _known[wanted] = rows
    return rows


def _is_plain(field: Field) -> bool:
    return type(field) is Field and type(field.name) is str and type(field.max_length) in (int, NoneType)
