from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import attrs

from statehold.sdk import FreedError
from statehold_aos._databases import Lease

Way = TypeVar("Way")
Way_contra = TypeVar("Way_contra", contravariant=True)
Thing = TypeVar("Thing", bound="_Adopting[Any]")


class _Adopting(Protocol[Way_contra]):
    def adopt(self, way: Way_contra, /) -> None: ...


@attrs.define(eq=False)
class Shared(Generic[Thing, Way]):
    """Something that several storages use together, such as those of two versions of an app.

    Attributes:
        thing: what they use.
        end: has it end.
        ways: how each of them would have it, in the order in which they came.

    """

    thing: Thing
    end: Callable[[], None]
    ways: list[Way] = attrs.field(factory=list, init=False)


@attrs.define(eq=False)
class Use(Generic[Thing, Way]):
    """The use of something that others may use, too; the last one to give it back ends it."""

    _pool: Pool[Thing, Way]
    _key: tuple[str, str]
    _shared: Shared[Thing, Way]
    _way: Way
    _is_released: bool = False

    @property
    def thing(self) -> Thing:
        """What is used, until `release`."""
        if self._is_released:
            raise FreedError(f"{type(self._shared.thing).__name__} was used after it had been given back")
        return self._shared.thing

    def release(self) -> None:
        """Give it back; a second time does nothing."""
        if not self._is_released:
            self._is_released = True
            self._pool.give_back(self._key, self._way)


@attrs.define(eq=False)
class Pool(Generic[Thing, Way]):
    """What is in use, that of one partition of one database once.

    It is as who came last, and is still there, would have it.
    """

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _all: dict[tuple[str, str], Shared[Thing, Way]] = attrs.field(factory=dict, init=False)

    def lease(
        self, key: tuple[str, str], way: Way, make: Callable[[], Shared[Thing, Way]], lease: Lease
    ) -> Use[Thing, Way]:
        """Return what *key* has, made if nobody has it; *lease* is for it, or given back."""
        with self._lock:
            shared = self._all.get(key)
            if shared is None:
                shared = self._all[key] = make()
            else:
                lease.release()
                shared.thing.adopt(way)
            shared.ways.append(way)
            return Use(self, key, shared, way)

    def give_back(self, key: tuple[str, str], way: Way) -> None:
        """End what *key* has if nobody else has it."""
        with self._lock:
            shared = self._all[key]
            shared.ways[:] = [one for one in shared.ways if one is not way]
            if shared.ways:
                shared.thing.adopt(shared.ways[-1])
                return
            del self._all[key]
            shared.end()
