from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import attrs
import msgspec

from statehold.loading._check import check_storage
from statehold.loading._work import Work
from statehold.loading.sidecar._calls import call_made
from statehold.loading.sidecar._codec import Codec
from statehold.loading.sidecar._fields import fields_made
from statehold.loading.sidecar._objects import Objects
from statehold.loading.sidecar.child._existing import Ask, existing_of
from statehold.loading.sidecar.child._logs import LogLane
from statehold.sdk import (
    Entity,
    IWithCallContext,
    IWithProbe,
    PluginError,
    Provider,
    Secret,
    StorageContext,
    StorageLogger,
    merge,
)
from statehold.state import Rows, compile_rows

_MOST_BOUND: Final = 64
_METHODS: Final = (
    "get",
    "get_batch",
    "read",
    "rows",
    "resume",
    "value_to_insert",
    "value_to_update",
    "validate",
    "apply_batch",
)


class _Context(StorageContext):
    """Knows whether the storage has looked for the one before it."""

    __slots__ = ("_before", "looked")

    _before: Any
    looked: bool

    @property
    def existing(self) -> Any:
        """The storage of the version being replaced."""
        object.__setattr__(self, "looked", True)
        return self._before

    @existing.setter
    def existing(self, before: Any) -> None:
        object.__setattr__(self, "_before", before)
        object.__setattr__(self, "looked", False)


class _Clock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


@attrs.define(eq=False)
class Opened:
    """A storage that is open in this process."""

    impl: Any
    codecs: Sequence[Codec]
    work: Work
    objects: Objects
    answer: Mapping[str, Any]
    name: str = ""
    _bound: dict[int, tuple[Any, list[Any]]] = attrs.field(factory=dict)
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def bound(self, call: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Return the storage as *call* sees it, and where what is answered in that call gathers."""
        number, data = call
        with self._lock:
            found = self._bound.get(number)
            if found is None:
                effects: list[Any] = []
                seen = self.impl.for_call(call_made(data, self.objects, effects))
                found = self._bound[number] = seen, effects
                if len(self._bound) > _MOST_BOUND:
                    del self._bound[next(iter(self._bound))]
            return found

    def resume(self, methods: Sequence[str], ask: Ask) -> None:
        """Let the storage take over again, from one that has those methods."""
        existing = existing_of(self.name, methods, self.codecs[0], ask)
        try:
            self.impl.resume(existing)
        finally:
            existing.close()

    def free(self, timeout: float) -> list[str]:
        """End what the storage started, free it, and return what did not end."""
        problems = self.work.finish(timeout)
        self.impl.free()
        return list(problems)


def open_storage(
    provider: Provider,
    given: dict[str, Any],
    *,
    handle: int,
    log: socket.socket,
    objects: Objects,
    others: Callable[[int], Opened],
    ask: Ask,
) -> Opened:
    """Open the storage that the host's OPEN describes.

    Raises:
        PluginError: it is not what its provider says.

    """
    logger = StorageLogger(given["logger"], given["level"])
    logger.addHandler(LogLane(log, handle))
    work = Work(given["storage"], logger)
    rows = compile_rows(given["storage"], fields_made(given["key"]) or (), fields_made(given["value"]) or ())
    entities = {
        name: compile_rows(name, fields_made(key) or (), fields_made(value) or ())
        for name, key, value in given["entities"]
    }
    codecs = [_codec(each, objects) for each in (rows, *entities.values())]
    existing = None
    if given["existing"] is not None:
        existing = existing_of(given["storage"], given["existing"], codecs[0], ask)
    context = _Context(
        logger=logger,
        storage=given["storage"],
        app=given["app"],
        version=given["version"],
        partition=given["partition"],
        config=config_of(provider, given["config"]),
        secrets={name: Secret(text) for name, text in given["secrets"].items()},
        key=rows.key_fields,
        value_fields=rows.value_fields,
        value=rows.value,
        key_class=rows.Key,
        value_class=rows.Value,
        data_folder=Path(given["data_folder"]),
        clock=_Clock(),
        existing=existing,
        storages={name: others(at).impl for name, at in given["storages"].items()},
        background=work.background,
        pending=work.pending,
        allowances=given["allowances"],
        entities={name: _entity(name, each) for name, each in entities.items()},
    )
    try:
        impl = provider.open(context)
        looked = context.looked
        if existing is not None:
            existing.close()
            object.__setattr__(context, "existing", None)
        faults = check_storage(impl, provider)
        if faults:
            raise PluginError("; ".join(map(str, faults)))  # noqa: TRY301 - it is told like any other
    except BaseException:
        work.finish(given["pending_timeout"])
        raise
    answer = {**_answer(impl), "looked": looked}
    return Opened(impl, codecs, work, objects, answer, given["storage"])


def config_of(provider: Provider, given: object) -> Any:
    """Return an instance of the provider's config model; a ValidationError says what does not fit."""
    if provider.config is None:
        return given
    return msgspec.convert({} if given is None else given, provider.config, dec_hook=_secret)


def _secret(kind: type, given: object) -> object:
    if kind is Secret and isinstance(given, str):
        return Secret(given)
    raise TypeError(f"expected a {kind.__name__}, got {type(given).__name__}")


def _codec(rows: Rows, objects: Objects) -> Codec:
    return Codec(rows.key_fields, rows.value_fields, rows.Key, rows.Value, objects, prefix_class=rows.Prefix)


def _entity(name: str, rows: Rows) -> Entity:
    return Entity(
        name=name,
        definition=None,
        key=rows.key_fields,
        value_fields=rows.value_fields,
        key_class=rows.Key,
        prefix_class=rows.Prefix,
        value_class=rows.Value,
        value=rows.value,
    )


def _answer(impl: Any) -> dict[str, Any]:
    methods = [name for name in _METHODS if callable(getattr(impl, name, None))]
    return {
        "type": type(impl).__name__,
        "methods": methods,
        "probe": isinstance(impl, IWithProbe),
        "calls": isinstance(impl, IWithCallContext),
        "usual": [name for name, usual in _USUAL.items() if _same(getattr(impl, name, None), usual)],
    }


# What most storages do with a value that is to be written: the host does it itself, and saves the way.
def _value_to_insert(self: Any, key: Any, value: Any) -> Any:  # noqa: ARG001 - a pattern
    return value


def _value_to_update(self: Any, key: Any, existing: Any, changes: Any) -> Any:  # noqa: ARG001 - a pattern
    return merge(existing, changes)


_USUAL: Final = {"value_to_insert": _value_to_insert, "value_to_update": _value_to_update}


def _same(method: Any, usual: Any) -> bool:
    """Return whether a method does what *usual* does, judged by its code."""
    function = getattr(method, "__func__", None)
    if not isinstance(function, FunctionType):
        return False
    one, other = function.__code__, usual.__code__
    return (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_argcount == other.co_argcount
        and one.co_freevars == other.co_freevars == ()
        and all(function.__globals__.get(name) is merge for name in one.co_names)
    )
