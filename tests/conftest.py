from __future__ import annotations

import compileall
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

from postgres_server import postgres

__all__ = ["postgres"]

if TYPE_CHECKING:
    from statehold.hosting import Host
    from statehold.processing import Runtime

pytest_plugins = ["pytester"]

# The same examples in every run, so that a failure is a change, not luck; `--hypothesis-profile=explore`
# looks further.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", database=None, deadline=None, max_examples=1000)
settings.load_profile("fixed")


# A shell that starts pytest in the background lets it ignore Ctrl-C, and so all processes that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Compile Statehold once: no process that a test starts has to, even where Python writes no bytecode."""
    if hasattr(config, "workerinput"):
        return
    # Plugins of which nothing here is in need take longer to import than many a run of pytest by a test.
    before = os.environ.get("PYTEST_ADDOPTS", "")
    os.environ["PYTEST_ADDOPTS"] = f"{before} -p no:anyio -p no:faulthandler -p no:schemathesis"
    for folder in ("core", "grammar", "plugins"):
        compileall.compile_dir(config.rootpath / folder, quiet=2)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Take one worker more than there are cores: much of the time one waits for a disk or a process."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def time_to_look() -> Iterator[None]:
    """Let a search for what holds a leak take its time: the heap of a test run is large, its machine busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("statehold.loading._survivors._SECONDS", 60.0)
        yield


@pytest.fixture
def runtime(host: Host) -> Iterator[Runtime]:
    """Run the apps of the test's host."""
    from statehold.processing import Runtime

    with Runtime(host) as runtime:
        yield runtime


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the long runs unless `-m` speaks of them."""
    if "soak" in config.getoption("-m"):
        return
    soak = [item for item in items if item.get_closest_marker("soak")]
    if soak:
        config.hook.pytest_deselected(items=soak)
        items[:] = [item for item in items if item not in soak]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the tests as they are compiled with their assertions: that takes most of the time to find them."""
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = kept


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave the tests themselves out of garbage collections: each version that is freed asks for some."""
    gc.unfreeze = _thaw
    _freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish() -> None:
    """Do so again where a search for what holds a leak, or a server that ended, has taken all in."""
    if _thawed.is_set():
        _freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """And with what the tests of a file have imported, which would be looked through from then on."""
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.path != item.path:
            _freeze()


# `gc.get_freeze_count()` would count, one by one, what takes longer than most tests.
_thawed = threading.Event()
_unfreeze = gc.unfreeze


def _thaw() -> None:
    _unfreeze()
    _thawed.set()


def _freeze() -> None:
    if any(gc.get_count()[1:]):  # if not, all has been collected just now
        gc.collect()
    gc.freeze()
    _thawed.clear()
