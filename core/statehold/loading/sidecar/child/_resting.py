from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from statehold.loading.sidecar.child._image import Image

#: How long after a storage was opened memory is given back, and again for what was looked at since, seconds.
_AFTER: Final = (0.2, 5.0, 60.0)
_ATTEMPTS: Final = 500
_MOMENT: Final = 2  # ms
#: Longer than a step takes, seconds; who waits for the interpreter then may wait as long once more.
_LONG: Final = 0.1


class Resting:
    """Gives memory back when the lanes rest, on the thread that waits for what the host asks of the process.

    Attributes:
        busy: whether who works for a lane has to `wait` for a moment.

    """

    def __init__(self, control: socket.socket, image: Image | None) -> None:
        self.busy = False
        self._image = image
        self._gate = threading.Lock()
        self._lanes: dict[int, list[bool]] = {}
        self._control = control.fileno()
        self._stirred, self._stir = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._stirred, select.POLLIN)
        self._due = [monotonic() + seconds for seconds in _AFTER] if image is not None else []

    @contextmanager
    def lane(self) -> Iterator[list[bool]]:
        """Yield a list whose only element is to say whether the lane of this thread waits for a question."""
        rests = [False]
        self._lanes[id(rests)] = rests
        try:
            yield rests
        finally:
            del self._lanes[id(rests)]

    def wait(self) -> None:
        """Wait until memory has been given back."""
        with self._gate:
            pass

    def stir(self) -> None:
        """Give memory back in a while: a storage was opened."""
        with suppress(BlockingIOError):
            os.write(self._stir, b"\0")

    def until_asked(self) -> None:
        """Wait for a question on the control lane."""
        while True:
            wait = None if not self._due else max(0, round((self._due[0] - monotonic()) * 1000))
            ready = {descriptor for descriptor, _ in self._poll.poll(wait)}
            if self._control in ready:
                return
            if self._stirred in ready:
                os.read(self._stirred, 4096)
                if self._image is not None:
                    self._due = [monotonic() + seconds for seconds in _AFTER]
            elif self._due:
                del self._due[0]
                self._give_back()

    def _give_back(self) -> None:
        if _interruptible():
            return
        collects = gc.isenabled()
        # Else it may call the plugin between any two steps.
        gc.disable()
        try:
            self._in_steps()
        except Exception:  # noqa: BLE001 - of memory: rather take more of it than end
            self._image, self._due = None, []
        finally:
            if collects:
                gc.enable()

    def _in_steps(self) -> None:
        assert self._image is not None  # noqa: S101 - else nothing is due
        image = self._image
        steps = image.give_back()
        for _ in range(_ATTEMPTS):
            with self._gate:
                self.busy = True
                interval = sys.getswitchinterval()
                sys.setswitchinterval(_LONG)
                try:
                    # A thread of the plugin could be anywhere: what it changes meanwhile would be lost.
                    if image.threads() > len(self._lanes) or gc.isenabled():
                        return
                    if all(rests for (rests,) in tuple(self._lanes.values())) and next(steps, self) is self:
                        return
                finally:
                    self.busy = False
                    sys.setswitchinterval(interval)
            if self._poll.poll(_MOMENT):
                return


def _interruptible() -> bool:
    """Return whether code of the plugin may run between any two steps of this thread."""
    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    return (
        sys.gettrace() is not None
        or sys.getprofile() is not None
        or any(callable(each) and each is not signal.default_int_handler for each in handlers)
    )
