from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from statehold.hosting._opened import OpenStorage
from statehold.hosting._trouble import Trouble


def free_storages(
    opened: Sequence[OpenStorage], trouble: Trouble, *, free_timeout: float, pending_timeout: float
) -> tuple[str, ...]:
    """Free storages in the reverse of their opening and return what went wrong, one line for each.

    Each is freed after its background work and its pending hooks have ended. One that raises or hangs
    is reported and left behind; the others are freed all the same.
    """
    problems: list[str] = []
    for storage in reversed(opened):
        name = f"{storage.name} of {storage.where}"
        problems += storage.work.finish(pending_timeout)
        problems += [f"{name}: {line}" for line in _run(storage.free, name, free_timeout, trouble)]
    return tuple(problems)


def _run(call: Callable[[], None], name: str, timeout: float, trouble: Trouble) -> list[str]:
    found: list[str] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - of another thread, where it would be lost
            found.append(f"free() raised {trouble.line(error)}")

    # A thread of its own, because only a thread can be left behind when it hangs.
    thread = threading.Thread(target=run, name=f"statehold-free {name}", daemon=True)
    thread.start()
    thread.join(timeout)
    return [f"free() did not return within {timeout:g} s"] if thread.is_alive() else found
