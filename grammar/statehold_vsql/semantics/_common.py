from __future__ import annotations

from collections.abc import Sequence

from statehold_vsql.appdef import QName
from statehold_vsql.semantics._model import Kind, Place
from statehold_vsql.semantics._names import Names
from statehold_vsql.syntax import nodes as n


def tag_names(tags: tuple[n.NameRef, ...], place: Place, names: Names) -> tuple[QName, ...]:
    """Resolve the tags of WITH Tags=(...)."""
    if not tags:
        return ()
    found = (names.find(tag, place, Kind.TAG) for tag in tags)
    return tuple(tag.qname for tag in found if tag is not None)


def workspace_name(place: Place) -> QName | None:
    """Return the name of the workspace that a statement stands in."""
    return place.workspace.symbol.qname if place.workspace is not None else None


def one_of(words: Sequence[str]) -> str:
    """Return `A`, `A or B`, or `A, B or C`."""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def is_reported(number: n.Number) -> bool:
    """Whether the parser has reported a number already, as one that does not fit into 64 bits."""
    return number.value == 0 and number.span.end_column - number.span.column > len("9223372036854775807")
