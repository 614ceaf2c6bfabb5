from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import attrs

#: How many requests may take long at the same time; one more, and the next ones wait.
_MOST: Final = 64


@attrs.define(eq=False)
class Turn:
    """One thread's turn of taking requests.

    Attributes:
        thread: whose it is.
        mine: whether it still is.
        requests: how many it has taken.
        busy: whether it answers one.

    """

    thread: threading.Thread
    mine: bool = True
    requests: int = 0
    busy: bool = False


@attrs.define(eq=False)
class Crew:
    """Threads of which one at a time takes requests, and answers them itself.

    One is fastest: threads that take turns wait for each other, and the machine moves them between its cores.
    One that is about to take long steps aside, one that is stuck is left behind, and another one goes on.

    Attributes:
        ended: set when no more requests come.

    """

    _take: Callable[[Turn], None]
    ended: threading.Event = attrs.field(factory=threading.Event, init=False)
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False)
    _turn: Turn | None = attrs.field(default=None, init=False)
    _seen: tuple[Turn | None, int] = attrs.field(default=(None, 0), init=False)
    _idle: int = attrs.field(default=0, init=False)
    _threads: list[threading.Thread] = attrs.field(factory=list, init=False)

    def start(self) -> None:
        """Begin to take requests."""
        with self._changed:
            self._add()

    def step_aside(self) -> None:
        """Let another thread take the next request, if it is the calling one's turn."""
        with self._changed:
            if self._turn is not None and self._turn.thread is threading.current_thread():
                self._pass_on(self._turn)

    def leave_behind(self) -> None:
        """Let another thread take the next request, if the last call found the same one under way."""
        with self._changed:
            turn = self._turn
            seen, self._seen = self._seen, (turn, turn.requests if turn is not None else 0)
            if turn is not None and turn.busy and seen == self._seen:
                self._pass_on(turn)

    def join(self, seconds: float) -> bool:
        """Wait for all threads; return whether they have ended."""
        for thread in self._threads:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)

    def _pass_on(self, turn: Turn) -> None:
        if self._idle:
            self._changed.notify()
        elif len(self._threads) < _MOST:
            self._add()
        else:
            return
        turn.mine, self._turn = False, None

    def _add(self) -> None:
        thread = threading.Thread(target=self._run, name=f"qsfs-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        thread = threading.current_thread()
        while True:
            with self._changed:
                self._idle += 1
                self._changed.wait_for(lambda: self._turn is None or self.ended.is_set())
                self._idle -= 1
                if self.ended.is_set():
                    return
                turn = self._turn = Turn(thread)
            self._take(turn)
            with self._changed:
                if turn.mine:
                    self.ended.set()
                    self._changed.notify_all()
                    return
