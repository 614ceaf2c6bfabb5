"""Says by which names an object is reached: the way to it from a module, a class, a thread or a signal."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from types import CellType, FrameType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any

_HERE = __package__
_STEPS = 8
_AT_ONCE = 16
_LOOKED_AT = 1000
_SHOWN = 40
_UNKNOWN = "[...]"
# Of these it is known that reading them runs no foreign code.
_PLAIN: Mapping[type, tuple[str, ...]] = {
    FunctionType: ("__defaults__", "__kwdefaults__"),
    CellType: ("cell_contents",),
    BaseException: ("__traceback__", "__context__", "__cause__"),
}


def trail(
    down: Sequence[object], *, is_own: Callable[[object], bool], ignored: Iterable[int], until: float
) -> str:
    """Return how the first of *down* is reached, and from it the last; each of them refers to the next.

    Such as `bus.listeners['changed'][0] in module 'foreign'`. Empty if nothing leads there that has a name,
    within some steps and until a moment of the monotonic clock; ways through what *is_own*, of the plugin,
    lead nowhere. *ignored* are ids of what is not looked at.
    """
    if is_root(down[0]):
        return _told(down)
    below = {id(down[0]): list(down)}
    seen = {*ignored, *map(id, down), id(down)}
    level: list[object] = [down[0]]
    kept: list[object] = []  # an object that is gone could leave its id to another one
    for _ in range(_STEPS):
        if not level or time.monotonic() > until:
            break
        referrers = gc.get_referrers(*level[:_AT_ONCE])
        kept += [level, referrers, below]
        seen |= {id(kept), *map(id, kept), *(id(way) for way in below.values())}
        upper: list[object] = []
        for referrer in referrers:
            if id(referrer) in seen or _is_ours(referrer):
                continue
            seen.add(id(referrer))
            held = set(map(id, gc.get_referents(referrer)))
            child = next((each for each in level if id(each) in held), None)
            if child is None or is_own(referrer):
                continue
            way = below[id(referrer)] = [referrer, *below[id(child)]]
            seen.add(id(way))
            if is_root(referrer):
                return _told(way)
            upper.append(referrer)
        level = upper
    return ""


def is_root(thing: object) -> bool:
    """Tell whether *thing* needs no other to be found."""
    return isinstance(thing, (type, ModuleType, threading.Thread)) or module_of(thing) is not None


def module_of(thing: object) -> str | None:
    """Return of which module *thing* are the variables; None if it is something else."""
    if isinstance(thing, dict) and "__spec__" in thing:
        name = thing.get("__name__")
        return name if isinstance(name, str) else None
    return None


def signal_held(is_own: Callable[[object], bool]) -> str:
    """Return which signal to this process calls what *is_own*; empty if none does."""
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if is_own(handler) or is_own(getattr(handler, "__self__", None)):
            return f"the handler of signal {signal.Signals(number).name}"
    return ""


def _is_ours(thing: object) -> bool:
    return isinstance(thing, FrameType) and thing.f_globals.get("__package__") == _HERE


def _told(way: Sequence[object]) -> str:
    shown = [way[0]]
    for node in way[1:]:
        if not _is_dict_of(node, shown[-1]):
            shown.append(node)
    root = shown[0]
    names = "".join(_step(parent, child) for parent, child in pairwise(shown))
    if isinstance(root, threading.Thread):
        return f"{names.removeprefix('.')} of thread {root.name!r}" if names else f"thread {root.name!r}"
    if isinstance(root, type):
        return f"{root.__module__}.{root.__qualname__}{names}"
    module = root.__name__ if isinstance(root, ModuleType) else module_of(root)
    return f"{names.removeprefix('.') or _UNKNOWN} in module {module!r}"


def _is_dict_of(node: object, parent: object) -> bool:
    if not isinstance(node, dict):
        return False
    if isinstance(parent, type):
        return node.get("__module__", node) is vars(parent).get("__module__")
    return node is _dict_of(parent)


def _dict_of(thing: object) -> dict[Any, Any] | None:
    for kind in type(thing).__mro__:
        descriptor = vars(kind).get("__dict__")
        if isinstance(descriptor, GetSetDescriptorType):
            found = descriptor.__get__(thing)
            return found if isinstance(found, dict) else None
    return None


def _step(parent: object, child: object) -> str:
    """Return what an expression says to come from *parent* to *child*."""
    if isinstance(parent, dict) and not isinstance(parent, type):
        name = _key(parent, child)
        return f".{name}" if module_of(parent) is not None else f"[{_short(name)}]"
    if isinstance(parent, (list, tuple, deque)):
        found = next((index for index, each in enumerate(islice(parent, _LOOKED_AT)) if each is child), None)
        return "[...]" if found is None else f"[{found}]"
    if isinstance(parent, (set, frozenset)):
        return "{...}"
    if isinstance(parent, FrameType):
        return f", a variable of {parent.f_code.co_qualname}()"
    name = next((name for name, value in _attributes(parent) if value is child), "")
    return f".{name}" if name else _UNKNOWN


def _key(parent: dict[Any, Any], child: object) -> object:
    # A dict may be changed by another thread meanwhile.
    with suppress(RuntimeError):
        return next((key for key, value in parent.items() if value is child), _UNKNOWN)
    return _UNKNOWN


def _short(key: object) -> str:
    # Only what surely runs no foreign code, and tells no more than a name.
    if type(key) is str and key != _UNKNOWN:
        return repr(key) if len(key) <= _SHOWN else repr(f"{key[:_SHOWN]}...")
    return repr(key) if type(key) is int else "..."


def _attributes(thing: object) -> Iterator[tuple[str, object]]:
    own = vars(thing) if isinstance(thing, type) else _dict_of(thing)
    with suppress(RuntimeError):
        yield from (own or {}).items()
    for kind in type(thing).__mro__:
        for name, descriptor in list(vars(kind).items()):
            if isinstance(descriptor, MemberDescriptorType) or name in _PLAIN.get(kind, ()):
                with suppress(AttributeError, ValueError):
                    yield name, descriptor.__get__(thing)
