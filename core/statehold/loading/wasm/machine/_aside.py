from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


def aside(function: Callable[[], T]) -> T:
    """Call *function*, on a thread of its own if this one is the main one; return what it returns.

    An interrupt is raised when the call has ended, a second one at once.

    Python runs the handlers of signals on the main thread, also while C calls back into Python. What they
    raise there, such as KeyboardInterrupt, is lost, and C gets a pointer that nobody has set.
    """
    if threading.get_ident() != threading.main_thread().ident:
        return function()
    done = threading.Event()
    results: list[T] = []
    failures: list[BaseException] = []
    context = copy_context()

    def run() -> None:
        try:
            results.append(context.run(function))
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="statehold-wasm-call", daemon=True)
    try:
        thread.start()
        done.wait()
    except BaseException:
        if thread.is_alive():
            done.wait()
        failures.clear()
        raise
    if failures:
        # Taken out: its traceback has these frames, which would keep it.
        raise failures.pop()
    return results.pop()
