from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any


def within(seconds: float, call: Callable[..., Any], *arguments: object) -> Any:
    """Return what *call* returns, on a thread of its own; fail if it has not returned after *seconds*."""
    return together(seconds, [lambda: call(*arguments)])[0]


def together(seconds: float, calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run *calls* at once, each on a thread, and return what they return; raise the first error of any.

    Fail if one has not returned after *seconds*: its thread is left behind as a daemon.
    """
    results: list[Any] = [None] * len(calls)
    errors: list[BaseException] = []
    start = threading.Barrier(len(calls))

    def run(number: int) -> None:
        try:
            start.wait(seconds)
            results[number] = calls[number]()
        except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
            errors.append(error)

    threads = [
        threading.Thread(target=run, args=(number,), name=f"conformance-{number}", daemon=True)
        for number in range(len(calls))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    hanging = [thread for thread in threads if thread.is_alive()]
    try:
        if errors:
            raise errors[0]
        if hanging:
            raise AssertionError(_told(hanging[0], len(hanging), len(calls), seconds))
        return results
    finally:
        # The traceback of an error leads back here: what the calls held must not stay alive by that.
        errors.clear()


def _told(thread: threading.Thread, hanging: int, of: int, seconds: float) -> str:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - there is no other way to see it
    where = "".join(traceback.format_stack(frame)[-4:])
    return f"{hanging} of {of} calls did not return within {seconds:g} s; one stands here:\n{where}"
