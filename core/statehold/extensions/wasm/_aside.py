from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


def aside(function: Callable[[], T]) -> T:
    """Call *function*, on a thread of its own if this one is the main one; return what it returns.

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

    threading.Thread(target=run, name="statehold-wasm-call", daemon=True).start()
    while not done.is_set():
        try:
            done.wait()
        except BaseException as error:  # noqa: BLE001 - an interrupt; what runs has to end first
            failures.insert(0, error)
    if failures:
        try:
            raise failures.pop(0)
        finally:
            # Their tracebacks have these frames, which would keep them.
            failures.clear()
    return results.pop()
