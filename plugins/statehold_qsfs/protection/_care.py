from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from statehold_qsfs.protection._backoff import Backoff, told
from statehold_qsfs.protection._errors import FencedError
from statehold_qsfs.protection._eviction import Eviction
from statehold_qsfs.protection._fetching import Fetching
from statehold_qsfs.protection._publisher import Publisher
from statehold_qsfs.protection._state import Kept

#: So many changes follow a base at most.
_CHANGES: Final = 64


@attrs.define(eq=False)
class Care:
    """Does what nobody waits for: seals segments, evicts, brings back what is read much, tidies up.

    Attributes:
        publisher, eviction, fetching: who does what of it.
        kept: returns what the store has of a segment, by namespace and number; None if nothing.
        ended: ends it.
        logger: where it tells what an operator should know.
        problem: why something could not be done the last time; empty while all is well.

    """

    publisher: Publisher
    eviction: Eviction
    fetching: Fetching
    kept: Callable[[str, int], Kept | None]
    ended: threading.Event
    logger: logging.Logger
    problem: str = ""
    _swept: bool = attrs.field(default=False, init=False)

    def run(self, seconds: float) -> None:
        """Do all of it again and again, *seconds* apart, until it is ended or another machine takes over."""
        backoff = Backoff()
        while not self.ended.wait(seconds):
            try:
                self._once()
            except FencedError:
                return  # who publishes finds out, too, and tells
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and tried again
                if not self.ended.is_set():
                    self.problem = told(error, self.logger)
                    self.ended.wait(backoff.failed())
            else:
                backoff.succeeded()
                self.problem = self.eviction.problem

    def _once(self) -> None:
        publisher = self.publisher
        unread = self._seal()
        if publisher.state.seq - publisher.base_seq >= _CHANGES:
            publisher.write_base()
        self.eviction.run()
        self._bring()
        if not self._swept:
            publisher.sweep()
            self._swept = True
        if unread is not None:
            raise unread

    def _seal(self) -> OSError | None:
        """Seal what can be; return why a segment could not be read here, which keeps no other from it."""
        unread = None
        for name, cut in self.publisher.engine.cut().items():
            for part in cut.parts:
                kept = self.kept(name, part.number)
                if (
                    part.closed
                    and kept is not None
                    and kept.whole is None
                    and kept.covers(part)
                    and not self.ended.is_set()
                ):
                    try:
                        self.publisher.seal(name, part, kept)
                    except FileNotFoundError:
                        pass  # compacted meanwhile
                    except OSError as error:
                        unread = error
        return unread

    def _bring(self) -> None:
        """Bring segments back of which much was read; those used longest ago make room for them."""
        for name, number in self.fetching.take_wanted():
            kept, namespace = self.kept(name, number), self.publisher.engine.get(name)
            if kept is None or namespace is None or not self.eviction.has_room(kept.end):
                continue
            segment = next((each for each in namespace.segments() if each.number == number), None)
            if segment is not None and not Path(segment.path).exists():
                segment.used = True
                self.fetching.bring(name, kept, Path(segment.path))
