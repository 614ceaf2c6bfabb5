"""Says what holds on to a thing that should be gone."""

from __future__ import annotations

import functools
import gc
import inspect
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType, FunctionType, ModuleType

import attrs

from statehold.loading._sweep import is_of
from statehold.loading._traces import marked
from statehold.loading._trail import is_root, module_of, signal_held, trail

_HERE = str(Path(__file__).parent)
_AT_ONCE = 16
_SECONDS = 1.0
# Containers, frames, tracebacks, and what msgspec keeps on a class: somebody else has them.
_BETWEEN = ("builtins", "msgspec._core")
_HIDDEN = (
    "a variable of a running call, or what Python does not show: a callback that was given to atexit, "
    "codecs, sys.addaudithook, a tracer or a library in C"
)


@attrs.frozen
class Survivor:
    """A part of a freed plugin that still exists, and what holds it; empty if only another one does."""

    name: str
    held_by: str = ""

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.name}, held by {self.held_by}" if self.held_by else self.name


def holders(things: Sequence[object], marker: str, *, ignored: set[int]) -> list[str]:
    """Return for each of *things*, in a few words, what outside the plugin holds it.

    The text is empty for those that are held only through another one. *ignored* are the ids of the
    containers in which the caller keeps such things itself.
    """
    # What a server has put beyond garbage collections may be the holder, and is not seen there.
    gc.unfreeze()
    found = dict.fromkeys(range(len(things)), "")
    found[0] = signal_held(partial(_is_own, marker=marker))
    for thread, frame in _frames():
        for index, text in _held_by_call(thread, frame, things, marker).items():
            found[index] = found[index] or text
    origin = {id(thing): index for index, thing in enumerate(things)}
    ours = {*ignored, id(things)}
    seen = {*ours, *origin}
    queue = list(things)
    ways: dict[int, tuple[object, ...]] = {
        id(thing): (thing,) for thing in things
    }  # from each that was found down to the thing
    kept: list[object] = [queue]  # an object that is gone could leave its id to another one
    deadline = time.monotonic() + _SECONDS
    walks = 0
    while queue and time.monotonic() < deadline:
        if walks * _AT_ONCE >= len(things) and any(found.values()):
            break  # what holds them more indirectly tells nothing new
        walks += 1
        # One walk through the heap for some at a time: each costs more with every thing it looks for.
        some = queue[:_AT_ONCE]
        del queue[:_AT_ONCE]
        referrers = gc.get_referrers(*some)
        kept += [some, referrers]
        ours |= {id(kept), *map(id, kept), id(ways), id(found), id(origin)}
        seen |= ours
        for referrer in referrers:
            if id(referrer) in seen or _is_here(referrer):
                continue
            seen.add(id(referrer))
            child = next((each for each in gc.get_referents(referrer) if id(each) in origin), things[0])
            index, way = origin[id(child)], (referrer, *ways[id(child)])
            ours.add(id(way))
            seen.add(id(way))
            text = _outside(referrer, marker)
            if text:
                if not found[index]:
                    found[index] = _reached(text, way, marker, ours, deadline)
            else:
                origin[id(referrer)] = index
                ways[id(referrer)] = way
                queue.append(referrer)
    if not any(found.values()):
        found[0] = _HIDDEN
    return list(found.values())


def _reached(text: str, way: Sequence[object], marker: str, ours: set[int], deadline: float) -> str:
    """Return *text*, which describes the first of *way*, with the names by which that is reached."""
    is_own = partial(_is_own, marker=marker)
    # What the plugin itself does with it tells nothing about who holds it.
    end = next((number for number, each in enumerate(way) if is_own(each)), len(way) - 1)
    names = trail(way[: end + 1], is_own=is_own, ignored=ours, until=deadline)
    return f"{names} ({text})" if names and not is_root(way[0]) else names or text


def _is_own(thing: object, *, marker: str) -> bool:
    if isinstance(thing, ModuleType):
        return _named(thing.__name__, marker)
    return is_of(thing, marker) or _named(module_of(thing), marker)


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


def _held_by_call(thread: str, frame: FrameType, things: Sequence[object], marker: str) -> dict[int, str]:
    code = frame.f_code
    call = f"{code.co_qualname}() ({code.co_filename}:{frame.f_lineno}, thread {thread!r})"
    if _named(frame.f_globals.get("__name__"), marker):
        return {0: f"the running call {call}"}
    held = _variables(frame, things, marker)
    return {index: f"the variable {name!r} of {call}" for index, name in held.items()}


def _variables(frame: FrameType, things: Sequence[object], marker: str) -> dict[int, str]:
    """Return the local variables of a running function that hold something of the plugin."""
    if sys.version_info < (3, 13) or not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        # Before, looking at them changes what `locals()` has given to the function; and a module's or
        # class's own names are found by who refers to them.
        return {}
    index = {id(thing): number for number, thing in enumerate(things)}
    return {
        index.get(id(value), index.get(id(type(value)), 0)): name
        for name, value in frame.f_locals.items()
        if id(value) in index or is_of(value, marker)
    }


def _is_here(thing: object) -> bool:
    return isinstance(thing, FrameType) and thing.f_code.co_filename.startswith(_HERE)


def _outside(thing: object, marker: str) -> str:
    """Describe *thing* if it is no part of the plugin and no plain container; else return nothing."""
    if isinstance(thing, dict):
        # A module's variables; all other dicts are told by who holds them.
        module = module_of(thing)
        return "" if module is None or _named(module, marker) else f"module {module!r}"
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
    if type(thing).__module__ in _BETWEEN:
        return ""
    return f"an object of {type(thing).__module__}.{type(thing).__qualname__}"


def _named(name: object, marker: str) -> bool:
    return isinstance(name, str) and bool(marked((name,), marker))
