from __future__ import annotations

from collections.abc import Callable
from typing import Any

from statehold.sdk import UNSET, Key
from statehold.state import Rows

Taker = Callable[[dict[str, object], int], Key]


def compile_taker(rows: Rows) -> Taker:
    """Compile `take(fields, workspace) -> key`, which takes out of *fields* what belongs to the key alone.

    Compiled, because a loop over the fields would cost as much again as the change that is asked for.
    """
    of_value = {field.attribute for field in rows.value_fields}
    given = []
    for field in rows.key_fields:
        how = "get" if field.attribute in of_value else "pop"
        # What is not given is NULL where it may be: that needs no further look.
        missing = "_unset" if field.required or field.repeated else "None"
        taken = f"fields.{how}({field.attribute!r}, {missing})"
        if field.name != field.attribute:
            taken = f"fields.{how}({field.name!r}, {taken})"
        given.append(taken)
    arguments = ", ".join(['fields.pop("WSID", workspace)', *given])
    source = f"def bind(_key, _unset):\n    return lambda fields, workspace: _key({arguments})"
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102 - the names are quoted
    take: Taker = scope["bind"](rows.key, UNSET)
    return take
