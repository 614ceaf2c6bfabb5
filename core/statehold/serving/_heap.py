from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds that a thread may keep the interpreter from another one: a deploy computes beside answers.
_TURN = 0.0005


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
    import dataset  # noqa: F401, PLC0415 - takes a third of a second
    import sqlalchemy.dialects.sqlite  # noqa: F401, PLC0415 - as above
    import uvloop  # noqa: F401, PLC0415 - only for servers

    import statehold.extensions.python  # noqa: F401, PLC0415 - only for apps with Python code
    from statehold.loading import installed  # noqa: PLC0415 - only here
    from statehold_vsql import compile_app  # noqa: PLC0415 - brings the parser

    catalog = installed()
    catalog.listing()
    compile_app(catalog.packages())
