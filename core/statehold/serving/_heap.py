from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Final

#: Seconds that a thread may keep the interpreter from another one: a deploy computes beside answers.
_TURN = 0.0005
#: What hosts import when an app asks for it.
_NEEDED: Final = (
    "dataset",
    "sqlalchemy.dialects.sqlite",
    "statehold.extensions.python",
    "statehold.extensions.wasm",
    "statehold.loading.sandbox",
    "statehold.loading.sidecar",
    "statehold.loading.wasm",
    "uvloop",
)


@contextmanager
def own_process() -> Iterator[None]:
    """Let this process do nothing but serve inside the block, in which hosts are opened and closed.

    A version that was freed is looked for in the whole heap, which holds up every thread. So what a host
    imports sooner or later is imported now, and left out of that. Threads take turns ten times as often as
    Python lets them.
    """
    _import_all()
    turn = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(turn)
        gc.unfreeze()


def _import_all() -> None:
    from statehold.loading import installed  # noqa: PLC0415 - only here
    from statehold_vsql import compile_app  # noqa: PLC0415 - brings the parser

    for name in _NEEDED:
        import_module(name)
    catalog = installed()
    catalog.listing()
    compile_app(catalog.packages())
