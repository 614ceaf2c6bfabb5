from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import attrs

#: How many requests may take long at the same time; one more, and the next ones wait.
_MOST: Final = 64


@attrs.define(eq=False)
class Crew:
    """Threads of which one at a time takes requests, and answers them itself.

    One is fastest: threads that take turns wait for each other, and the machine moves them between its cores.
    One that is about to take long steps aside, and another one goes on.

    Attributes:
        ended: set when no more requests come.

    """

    _take: Callable[[Callable[[], bool]], None]
    ended: threading.Event = attrs.field(factory=threading.Event, init=False)
    _turn: threading.Condition = attrs.field(factory=threading.Condition, init=False)
    _taking: threading.Thread | None = attrs.field(default=None, init=False)
    _idle: int = attrs.field(default=0, init=False)
    _threads: list[threading.Thread] = attrs.field(factory=list, init=False)

    def start(self) -> None:
        """Begin to take requests."""
        with self._turn:
            self._add()

    def step_aside(self) -> None:
        """Let another thread take the next request, if it is the calling one that does."""
        with self._turn:
            if self._taking is not threading.current_thread():
                return
            if self._idle:
                self._taking = None
                self._turn.notify()
            elif len(self._threads) < _MOST:
                self._taking = None
                self._add()

    def join(self, seconds: float) -> bool:
        """Wait for all threads; return whether they have ended."""
        for thread in self._threads:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)

    def _add(self) -> None:
        thread = threading.Thread(target=self._run, name=f"qsfs-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        me = threading.current_thread()
        while True:
            with self._turn:
                self._idle += 1
                self._turn.wait_for(lambda: self._taking is None or self.ended.is_set())
                self._idle -= 1
                if self.ended.is_set():
                    return
                self._taking = me
            self._take(lambda: self._taking is me)
            if self._taking is me:
                with self._turn:
                    self.ended.set()
                    self._turn.notify_all()
                return
