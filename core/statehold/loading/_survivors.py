"""Says what holds on to a thing that should be gone."""

from __future__ import annotations

import functools
import gc
import inspect
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, FunctionType, ModuleType

import attrs

from statehold.loading._sweep import is_of
from statehold.loading._traces import marked

_HERE = str(Path(__file__).parent)
_STEPS = 64


@attrs.frozen
class Survivor:
    """A part of a freed plugin that still exists, and what holds it; that is looked up for the first ones."""

    name: str
    held_by: str = ""

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.name}, held by {self.held_by}" if self.held_by else self.name


def holder(thing: object, marker: str, *, ignored: set[int]) -> str:
    """Return in a few words what outside the plugin holds *thing*.

    *ignored* are the ids of the containers in which the caller keeps such things itself.
    """
    for thread, frame in _frames():
        code = frame.f_code
        call = f"{code.co_qualname}() ({code.co_filename}:{frame.f_lineno}, thread {thread!r})"
        if _named(frame.f_globals.get("__name__"), marker):
            return f"the running call {call}"
        variable = _variable(frame, thing, marker)
        if variable:
            return f"the variable {variable!r} of {call}"
    seen = {*ignored, id(thing)}
    queue = [thing]
    for _ in range(_STEPS):
        if not queue:
            break
        referrers = gc.get_referrers(queue.pop(0))
        seen |= {id(queue), id(referrers)}
        for referrer in referrers:
            if id(referrer) not in seen and not _is_here(referrer):
                seen.add(id(referrer))
                text = _outside(referrer, marker)
                if text:
                    return text
                queue.append(referrer)
    return "something Python cannot see, such as a compiled extension"


def own_threads(marker: str) -> tuple[str, ...]:
    """Return the names of the threads that run code of the plugin."""
    return tuple(
        dict.fromkeys(
            thread for thread, frame in _frames() if _named(frame.f_globals.get("__name__"), marker)
        )
    )


def _frames() -> Iterator[tuple[str, FrameType]]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, top in sys._current_frames().items():  # noqa: SLF001 - the only way to the other threads
        frame: FrameType | None = top
        while frame is not None:
            if not _is_here(frame):
                yield names.get(ident, str(ident)), frame
            frame = frame.f_back


def _variable(frame: FrameType, thing: object, marker: str) -> str:
    """Return the local variable of a running function that holds *thing* or something like it."""
    if not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        return ""  # a module's or class's own names, which are found by who refers to them
    variables = frame.f_locals
    try:
        return next((name for name, value in variables.items() if value is thing or is_of(value, marker)), "")
    finally:
        if type(variables) is dict:
            # Before Python 3.13 this is a copy that the frame keeps: it would hold what it shows.
            variables.clear()


def _is_here(thing: object) -> bool:
    return isinstance(thing, FrameType) and thing.f_code.co_filename.startswith(_HERE)


def _outside(thing: object, marker: str) -> str:
    """Describe *thing* if it is no part of the plugin and no plain container; else return nothing."""
    if isinstance(thing, dict):
        # A module's variables; all other dicts are told by who holds them.
        name = thing.get("__name__") if "__spec__" in thing else None
        return f"module {name!r}" if isinstance(name, str) and not _named(name, marker) else ""
    if is_of(thing, marker):
        return ""
    if isinstance(thing, ModuleType):
        return "" if _named(thing.__name__, marker) else f"module {thing.__name__!r}"
    if isinstance(thing, functools._lru_cache_wrapper):  # noqa: SLF001 - its type has no public name
        return f"the cache of {thing.__module__}.{thing.__qualname__}()"
    if isinstance(thing, FunctionType) and _named(thing.__globals__.get("__name__"), marker):
        return ""
    if isinstance(thing, (FunctionType, type)):
        return f"{thing.__module__}.{thing.__qualname__}"
    if type(thing).__module__ == "builtins":
        return ""
    return f"an object of {type(thing).__module__}.{type(thing).__qualname__}"


def _named(name: object, marker: str) -> bool:
    return isinstance(name, str) and bool(marked((name,), marker))
