"""What does not die after a plugin was freed is told with the names by which somebody reaches it."""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import logging
import re
import signal
import sys
import threading
import types

import pytest

HOLDING = """
from __future__ import annotations
import sys

from statehold.sdk import Operation, Provider

class Thing:
    def heard(self, *args):
        pass

{code}

provider = Provider(name="Scada", open=lambda ctx: None, operations=[Operation.GET])
"""
FOREIGN = """
import functools

class Bus:
    def __init__(self):
        self.listeners = {}

    def on(self, event, listener):
        self.listeners.setdefault(event, []).append(listener)

class Slotted:
    __slots__ = ("it",)

class Base:
    known = {}

    def __init_subclass__(cls):
        Base.known[cls.__name__] = cls

def closed(over):
    return lambda: over

def defaulted(value):
    return lambda it=value: it

@functools.singledispatch
def shown(thing):
    return ""

@functools.lru_cache
def cached(thing):
    return 1

bus = Bus()
slotted = Slotted()
"""


@pytest.fixture
def foreign():
    """A library that is installed beside the host, with what such have."""
    module = types.ModuleType("foreign")
    sys.modules["foreign"] = module
    module.__spec__ = importlib.machinery.ModuleSpec("foreign", None)
    exec(FOREIGN, vars(module))
    yield module
    del sys.modules["foreign"]
    vars(module).clear()


@pytest.fixture
def held_by(load):
    """Load a plugin with some code, free it, and return who holds what survives."""

    def held_by(code):
        report = load({"scada/__init__.py": HOLDING.format(code=code)}).free()
        return "\n".join(map(str, report.survivors))

    return held_by


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import foreign; foreign.KEEP = Thing", "class scada.Thing, held by KEEP in module 'foreign'"),
        (
            "import foreign; foreign.DEEP = {'a': [({'b': Thing},)]}",
            "held by DEEP['a'][0][0]['b'] in module 'foreign'",
        ),
        (
            "import foreign; foreign.bus.on('changed', Thing().heard)",
            "held by bus.listeners['changed'][0].__self__ in module 'foreign' (an object of foreign.Bus)",
        ),
        (
            "import foreign; foreign.bus.on('changed', lambda: Thing)",
            "held by bus.listeners['changed'][0] in module 'foreign' (an object of foreign.Bus)",
        ),
        ("import foreign; foreign.slotted.it = Thing", "held by slotted.it in module 'foreign'"),
        ("import foreign\nclass Sub(foreign.Base): pass", "held by foreign.Base.known['Sub']"),
        (
            "import foreign; foreign.inner = foreign.closed(Thing)",
            "held by inner.__closure__[0].cell_contents in module 'foreign'",
        ),
        (
            "import foreign; foreign.inner = foreign.defaulted(Thing)",
            "held by inner.__defaults__[0] in module 'foreign'",
        ),
        ("import foreign; foreign.shown.register(Thing, lambda it: '')", "(foreign.shown)"),
        ("import foreign; foreign.cached(Thing)", "(the cache of foreign.cached())"),
        (
            "import foreign\ntry: 1 / 0\nexcept ZeroDivisionError as error: foreign.error = error",
            "held by error.__traceback__.tb_frame, a variable of <module>() in module 'foreign'",
        ),
    ],
)
def test_who_of_another_library_holds_it_is_told(held_by, foreign, code, expected):
    assert expected in held_by(code)


def test_a_method_of_the_standard_library_that_was_replaced_is_told(held_by, monkeypatch):
    monkeypatch.setattr(json.JSONEncoder, "default", json.JSONEncoder.default)
    found = held_by("import json; json.JSONEncoder.default = lambda self, it: Thing")
    assert "held by json.encoder.JSONEncoder.default" in found


def test_a_hook_of_the_interpreter_is_told(held_by, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    assert "held by unraisablehook in module 'sys'" in held_by("sys.unraisablehook = lambda it: Thing")


def test_a_callback_of_the_garbage_collector_is_told(held_by):
    before = list(gc.callbacks)
    try:
        found = held_by("import gc; gc.callbacks.append(lambda phase, info: Thing)")
        assert f"held by callbacks[{len(before)}] in module 'gc'" in found
    finally:
        gc.callbacks[:] = before


def test_the_handler_of_a_signal_is_told(held_by):
    before = signal.getsignal(signal.SIGUSR1)
    try:
        found = held_by("import signal; signal.signal(signal.SIGUSR1, lambda *args: Thing)")
        assert "held by the handler of signal SIGUSR1" in found
        found = held_by("import signal; signal.signal(signal.SIGUSR1, Thing().heard)")
        assert "held by the handler of signal SIGUSR1" in found
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_handler_of_a_log_is_told(held_by):
    """One of the plugin's own class is taken out; one of another class that holds something of it is not."""
    logger = logging.getLogger("a.library")
    try:
        found = held_by(
            "import logging; handler = logging.NullHandler(); handler.thing = Thing\n"
            "logging.getLogger('a.library').addHandler(handler)"
        )
        assert "manager.loggerDict['a.library'].handlers[0].thing" in found
        assert "(an object of logging.NullHandler)" in found
    finally:
        logger.handlers.clear()


def test_a_thread_that_has_not_come_to_it_yet_is_told(held_by):
    found = held_by(
        "import threading; timer = threading.Timer(30, lambda: Thing); timer.name = 'later'\n"
        "timer.daemon = True; timer.start(); sys.audit('timer'); del timer"
    )
    (timer,) = (thread for thread in threading.enumerate() if thread.name == "later")
    timer.cancel()
    timer.join(60)
    assert "held by function of thread 'later'" in found


def test_a_cache_of_the_standard_library_is_told(held_by):
    found = held_by("import re\nclass Text(str): pass\nre.compile(Text('plugin'))")
    re.purge()
    assert "class scada.Text, held by _cache[...].pattern in module 're' (an object of re.Pattern)" in found


def test_a_key_that_says_more_than_a_name_is_not_shown(held_by, foreign):
    found = held_by(f"import foreign; foreign.KEEP = {{'{'x' * 200}': {{('a', 'b'): Thing}}}}")
    assert f"held by KEEP['{'x' * 40}...'][...] in module 'foreign'" in found


def test_what_c_alone_knows_is_said_to_be_unknown(held_by):
    """An exit call that somebody else has registered, and a search function of codecs."""
    kept = []
    functions = types.SimpleNamespace(keep=lambda it: (atexit.register(it), kept.append(id(it))))
    sys.modules["exit_calls"] = functions
    try:
        found = held_by("import exit_calls; exit_calls.keep(Thing().heard)")
    finally:
        del sys.modules["exit_calls"]
        for thing in [each for each in gc.get_objects() if id(each) in kept]:
            atexit.unregister(thing)
    assert "or what Python does not show: a callback that was given to atexit, codecs" in found
