"""Freeing a plugin removes every trace of it and proves it; what does not die is named with its holder."""

from __future__ import annotations

import collections
import copyreg
import functools
import gc
import importlib
import json
import linecache
import logging
import sqlite3
import sys
import threading
import traceback
import warnings
import weakref
from pathlib import Path

import pytest

from statehold.loading import load_plugin

KINDS = """
import abc, collections.abc, copyreg, dataclasses, enum, functools, logging, pkgutil
import sqlite3, sys, typing, warnings
from typing import Generic, NamedTuple, Optional
import attrs, msgspec
import scada.other

log = logging.getLogger(__name__)
log.propagate = False
log.addHandler(logging.StreamHandler())
logging.getLogger(__name__ + ".child").debug("x")

class Colour(enum.Enum):
    RED = 1

class Pair(NamedTuple):
    left: int

@dataclasses.dataclass
class Plain:
    value: int

@attrs.define
class Attrs:
    value: int = 1
    def __attrs_post_init__(self): pass

class Row(msgspec.Struct):
    plain: Plain

class Registered: pass
collections.abc.Mapping.register(Registered)

class Box(Generic[typing.TypeVar("T")]): pass

@typing.runtime_checkable
class Sized(typing.Protocol):
    size: int

class Note(UserWarning): pass
class Handler(logging.Handler):
    def emit(self, record): pass

@functools.lru_cache
def cached(x): return Plain(x)

@functools.singledispatch
def shape(x): return 0

@shape.register
def _(x: Plain): return 1

def use():
    cached(1); shape(Plain(1)); typing.get_type_hints(Row)
    msgspec.json.decode(b'{"plain": {"value": 1}}', type=Row); isinstance(Plain(1), collections.abc.Mapping)
    isinstance(Plain(1), Sized)
    Optional[Plain]; Box[Plain]; typing.List[Colour]; dict[str, Plain]
    copyreg.pickle(Plain, lambda plain: (Plain, (plain.value,)))
    sqlite3.register_adapter(Plain, str)
    warnings.filterwarnings("ignore", category=Note)
    logging.getLogger().addHandler(Handler())
    logging.getLogger("shared.by.all").addFilter(Filter())
    list(pkgutil.walk_packages(scada.__path__, scada.__name__ + "."))
    try:
        scada.other.fail()
    except ValueError:
        log.exception("failed")

class Filter(logging.Filter): pass

class Guesser:
    def find_spec(self, *args): return None

sys.meta_path.append(Guesser())
use()
"""
FILES = {
    "scada/kinds.py": KINDS,
    "scada/other.py": "def fail(): raise ValueError('failed')\n",
    "scada/sub/__init__.py": "",
}


@pytest.fixture(autouse=True)
def quiet(capsys):
    """The plugin here writes to a handler of its own."""


def test_every_trace_is_removed(load, inside):
    """Modules, finder, path caches, source lines, loggers and handlers, registries and typing caches."""
    before = (
        dict(copyreg.dispatch_table),
        dict(sqlite3.adapters),
        list(warnings.filters),
        list(logging.root.handlers),
        [finder for finder in sys.meta_path if type(finder).__module__ != "statehold.loading._space"],
    )
    finders = list(sys.meta_path)
    plugin = load(FILES)
    kinds = inside(plugin, "scada.kinds")
    marker, handler = plugin.prefix, weakref.ref(kinds.log.handlers[0])
    linecache.getlines(kinds.__file__, vars(kinds))
    assert [name for name in linecache.cache if marker in name], "attrs writes there"
    del kinds
    report = plugin.free()
    assert report.survivors == ()
    assert report.alive == 0
    assert (report.problems, report.threads) == ((), ())
    assert set(report.modules) >= {"scada", "scada.kinds", "scada.other"}
    assert handler() is None
    after = (
        copyreg.dispatch_table,
        sqlite3.adapters,
        list(warnings.filters),
        logging.root.handlers,
        [finder for finder in sys.meta_path if type(finder).__module__ != "statehold.loading._space"],
    )
    assert before == after
    assert [finder for finder in sys.meta_path if finder not in finders] == []
    for names in (sys.modules, linecache.cache, logging.Logger.manager.loggerDict, sys.path_importer_cache):
        assert [name for name in names if marker in name or str(plugin.path) in name] == []


def test_free_twice_is_free_once(load):
    """The second call returns the first one's report."""
    plugin = load()
    assert plugin.free() is plugin.free()


def test_a_plugin_used_in_a_block_is_freed_at_its_end(make_wheel):
    """`with load_plugin(...)` frees."""
    with load_plugin(make_wheel(), owner="acme.bills 1") as plugin:
        pass
    assert plugin.free().survivors == ()


def test_freeing_one_leaves_another_alone(load, inside):
    """Two plugins of one file and of one name: the second works on, with its source lines and loggers."""
    first, second = load(FILES), load(FILES)
    other = inside(second, "scada.other")
    first.free()
    with pytest.raises(ValueError, match="failed") as failed:
        other.fail()
    assert "raise ValueError" in "".join(traceback.format_exception(failed.value))
    assert logging.getLogger(inside(second, "scada.kinds").__name__).handlers
    assert importlib.import_module(other.__name__) is other


HELD = {
    "scada/held.py": "class Held: pass\ndef function(): pass\ndef forever(stop): stop.wait(30)\n",
}
keep: list[object] = []


def test_what_a_module_keeps_is_named(load, inside):
    """A class in the host's hands survives, and so does all it leads to; the report says who has it."""
    plugin = load(HELD)
    keep.append(inside(plugin, "scada.held").Held())
    report = plugin.free()
    survivors = {survivor.name: survivor.held_by for survivor in report.survivors}
    assert "test_free" in survivors["class scada.held.Held"]
    assert "class scada.held.Held, held by keep[0] in module " in "\n".join(map(str, report.survivors))
    keep.clear()
    assert report.survivors == ()


def test_what_stands_between_is_not_named(load, inside):
    """msgspec keeps notes on a struct; the report names who has the struct, not the notes."""
    plugin = load({"scada/rows.py": "import msgspec\nclass Row(msgspec.Struct):\n    point: str\n"})
    rows = inside(plugin, "scada.rows")
    importlib.import_module("msgspec").json.decode(b'{"point": "P1"}', type=rows.Row)
    keep.append(rows.Row)
    del rows
    report = plugin.free()
    assert [survivor.held_by for survivor in report.survivors if survivor.held_by] == [
        f"keep[0] in module {__name__!r}"
    ]
    keep.clear()
    assert report.survivors == ()


def test_what_a_cache_of_the_host_keeps_is_named(load, inside):
    """An lru_cache of the host with the plugin's class as key."""

    @functools.lru_cache
    def describe(kind):
        return 1

    plugin = load(HELD)
    describe(inside(plugin, "scada.held").Held)
    report = plugin.free()
    assert "the cache of " in report.survivors[0].held_by
    assert "describe()" in report.survivors[0].held_by
    describe.cache_clear()
    assert report.survivors == ()


def test_what_an_object_of_the_host_keeps_is_named(load, inside):
    """An object of the host with the plugin's function in it."""
    queue = collections.deque()
    holder = json.JSONEncoder()
    plugin = load(HELD)
    holder.plugin_function = inside(plugin, "scada.held").function
    report = plugin.free()
    assert any("json.encoder.JSONEncoder" in survivor.held_by for survivor in report.survivors)
    del holder, queue
    assert report.survivors == ()


def test_a_thread_that_still_runs_the_plugin_is_named(load, inside):
    """The report names the thread, and the call that holds the plugin."""
    stop = threading.Event()
    plugin = load(HELD)
    thread = threading.Thread(
        target=inside(plugin, "scada.held").forever, args=(stop,), name="poller", daemon=True
    )
    thread.start()
    report = plugin.free()
    assert report.threads == ("poller",)
    assert any("forever() (" in survivor.held_by for survivor in report.survivors)
    assert any("thread 'poller')" in survivor.held_by for survivor in report.survivors)
    stop.set()
    thread.join(60)
    del thread
    assert report.threads == ()
    assert report.survivors == ()


def test_a_provider_that_is_kept_is_named(load):
    """Whoever keeps the provider keeps the plugin."""
    plugin = load()
    provider = plugin.providers["Scada"]
    report = plugin.free()
    kept = report.survivors
    assert "provider Scada" in [survivor.name for survivor in kept]
    if sys.version_info >= (3, 13):
        assert "the variable 'provider' of test_a_provider_that_is_kept_is_named()" in kept[0].held_by
    del provider
    assert report.survivors == ()


def test_a_load_that_failed_leaves_nothing_once_its_error_is_gone(make_wheel):
    """The classes of a half-loaded plugin die with the error that tells of it."""
    from statehold.sdk import PluginError

    with pytest.raises(PluginError):
        load_plugin(make_wheel({"scada/__init__.py": "class LeftOver: pass\n1/0\n"}), owner="acme.bills 1")
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, type) and each.__name__ == "LeftOver"]


USES_LARK = """
import lark
from statehold.sdk import Operation, Provider

def parse(text):
    return lark.Lark("start: WORD+\\n%import common.WORD\\n%ignore \\" \\"", parser="lalr").parse(text)

provider = Provider(name="Scada", open=parse, operations=[Operation.GET])
"""


def test_a_real_library_in_the_plugin_file_is_private_and_dies_with_it(load, inside):
    """The whole of lark: its resources, typing overloads, generics, dataclasses, logger and caches."""
    lark = importlib.import_module("lark")
    root = Path(lark.__file__).parent
    files = {
        f"lark/{path.relative_to(root)}": path.read_bytes()
        for path in root.rglob("*")
        if path.suffix in (".py", ".lark")
    }
    handlers = len(logging.getLogger("lark").handlers)
    for _ in range(3):
        plugin = load({**files, "scada/__init__.py": USES_LARK})
        tree = plugin.providers["Scada"].open("hello world")
        assert [str(token) for token in tree.children] == ["hello", "world"]
        assert not isinstance(tree, lark.Tree)
        del tree
        assert plugin.free().survivors == ()
    assert len(logging.getLogger("lark").handlers) == handlers


def test_many_threads_load_and_free_at_once(make_wheel):
    """Each gets its own copy, and at the end nothing is left of any."""
    wheel = make_wheel(FILES)
    errors: list[BaseException] = []
    reports = []

    def work() -> None:
        try:
            for _ in range(10):
                with load_plugin(wheel, owner="acme.bills 1") as plugin:
                    assert plugin.providers["Scada"].open(None).get(None) is None
                reports.append(plugin.free())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [survivor for report in reports for survivor in report.survivors] == []


def _rounds(wheels, count):
    references = []
    for number in range(count):
        plugin = load_plugin(wheels[number % len(wheels)], owner=f"acme.bills {number}")
        references.append(weakref.ref(type(plugin.providers["Scada"].open(None))))
        report = plugin.free()
        del plugin
        if number % 50 == 49:
            assert report.survivors == ()
    gc.collect()
    return sum(reference() is not None for reference in references)


def test_300_rounds_leave_no_class_alive(make_wheel):
    """Every class of every round dies, and nothing is left in the import system or the loggers."""
    wheels = [make_wheel(FILES), make_wheel(FILES, version="2.0")]
    loggers = len(logging.Logger.manager.loggerDict)
    assert _rounds(wheels, 300) == 0
    assert len(logging.Logger.manager.loggerDict) <= loggers + 3


@pytest.mark.soak
def test_5000_rounds_leave_memory_flat(make_wheel):
    """The slope of the process's memory over the last 4,000 of 5,000 rounds is nothing."""
    import psutil

    wheels = [make_wheel(FILES), make_wheel(FILES, version="2.0")]
    process = psutil.Process()
    samples = []
    for _ in range(50):
        assert _rounds(wheels, 100) == 0
        samples.append(process.memory_info().rss / 1024)
    slope = (sum(samples[-10:]) - sum(samples[10:20])) / 10 / 3000
    print(f"\n{slope:+.4f} KiB per round, {samples[0]:.0f} -> {samples[-1]:.0f} KiB")
    assert slope < 0.2, f"memory grows by {slope:.3f} KiB per round"
