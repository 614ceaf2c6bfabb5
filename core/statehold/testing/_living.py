from __future__ import annotations

import gc
import logging
import os
import threading
import time
import warnings
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from statehold.sdk import IStateStorage, Key, Operation, Secret, StorageLogger, Value
from statehold.testing._case import Case
from statehold.testing._level import Level
from statehold.testing._open import OpenStorage
from statehold.testing._patience import within
from statehold.testing._scenario import Facts, scenario

GET, GETBATCH, READ = Operation.GET, Operation.GETBATCH, Operation.READ
INSERT, UPDATE = Operation.INSERT, Operation.UPDATE

# What a storage leaves behind it leaves each time; what other threads do meanwhile comes once or twice.
TIMES = 3

Thing = TypeVar("Thing")


def _reopens(facts: Facts) -> bool:
    return facts.durable and facts.writes


def _forgets(facts: Facts) -> bool:
    return facts.writes and not facts.durable and not facts.shared


def _hands_over(facts: Facts) -> bool:
    return facts.writes and (facts.durable or facts.hands_over)


class Listener(logging.Handler):
    """Keeps the text of every record."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record as a text."""
        self.texts.append(logging.Formatter().format(record))


class Living(Case):
    """The storage comes, goes, and leaves nothing behind that it should not."""

    @scenario("L1")
    def test_l1_free_returns(self) -> None:
        """`free()` returns without an error, after no use and after much."""
        for use in (False, True):
            opened = self.open(folder=f"used-{use}")
            if use:
                self.use(opened)
            within(self.patience, self.forgo(opened).free)

    @scenario("L2", level=Level.STABLE)
    def test_l2_nothing_keeps_a_freed_storage(self) -> None:
        """A storage that was freed is gone from memory once nobody holds it."""
        self.warm_up()
        for _ in range(TIMES):
            storage = self.watch_one()()
            if storage is None:
                return
        kept_by = [f"{type(one).__name__}" for one in gc.get_referrers(storage)]
        pytest.fail(f"the freed storage is still held, by: {', '.join(kept_by) or 'C code'}")

    @scenario("L3", level=Level.STABLE)
    def test_l3_no_thread_is_left(self) -> None:
        """After `free()` no thread of the storage runs; background work ends when it is told to."""
        unended = self.warm_up()
        assert not unended, f"did not end when told to: {', '.join(unended)}"
        running = sorted(thread.name for thread in self.left_behind(threads))
        assert not running, f"threads left after free(): {', '.join(running)}"

    @pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
    @scenario("L4", level=Level.STABLE)
    def test_l4_no_file_and_no_socket_is_left(self) -> None:
        """After `free()` no file, socket or pipe is open that was not open before."""
        self.warm_up()
        left = self.left_behind(descriptors)
        assert not left, f"left open after free(): {', '.join(left.elements())}"

    @scenario("L5", level=Level.STABLE)
    def test_l5_nothing_is_closed_by_the_garbage_collector(self) -> None:
        """Nothing the storage opened is left to the garbage collector: no ResourceWarning."""
        gc.collect()
        for _ in range(TIMES):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", ResourceWarning)
                self.warm_up()
            left = [str(one.message) for one in caught if issubclass(one.category, ResourceWarning)]
            if not left:
                return
        pytest.fail(f"left to the garbage collector: {'; '.join(left)}")

    @scenario("L6")
    def test_l6_prints_nothing(self, capfd: pytest.CaptureFixture[str]) -> None:
        """Nothing is written to stdout or stderr."""
        capfd.readouterr()
        logger = StorageLogger("test.quiet")
        logger.addHandler(Listener())
        opened = self.open(logger=logger)
        self.use(opened)
        self.free(opened)
        written = capfd.readouterr()
        assert written.out == "", f"printed to stdout: {written.out!a:.300}"
        assert written.err == "", f"printed to stderr: {written.err!a:.300}"

    @scenario("L7")
    def test_l7_leaves_logging_alone(self) -> None:
        """The storage logs to the logger it was given and changes neither that nor any other."""
        logger = StorageLogger("test.watched")
        listener = Listener()
        logger.addHandler(listener)
        root = logging.getLogger()
        before = [_settings(root), _settings(logger)]
        opened = self.open(logger=logger)
        self.use(opened)
        self.free(opened)
        after = [_settings(root), _settings(logger)]
        assert after == before, f"logging was set up anew: expected {before}, got {after}"

    @scenario("L8", need=lambda facts: facts.secrets)
    def test_l8_secrets_are_not_logged(self) -> None:
        """No secret appears in what the storage logs, or in its repr."""
        logger = StorageLogger("test.secrets")
        listener = Listener()
        logger.addHandler(listener)
        opened = self.open(logger=logger)
        self.use(opened)
        told = repr(opened.storage)
        self.free(opened)
        shown = [told, *listener.texts]
        for name, secret in self.given("secrets").items():
            text = secret.reveal() if isinstance(secret, Secret) else secret
            assert not any(text in one for one in shown), f"secret {name} was shown"

    @scenario("L9", INSERT, level=Level.STABLE, need=_reopens)
    def test_l9_rows_outlive_the_storage(self) -> None:
        """In a durable storage every row is there again after it was freed and opened again."""
        opened, workspace = self.open(), self.workspace()
        old = self.fill(opened, workspace, 8)
        self.free(opened)
        again = self.open(version="2")
        self.found_again(again, old, "after it was opened again")
        key = next(iter(self.fill(again, workspace, 1)))
        assert self.look(again, key) is not None, "nothing can be written after opening again"

    @scenario("L10", INSERT, need=_forgets)
    def test_l10_nothing_outlives_the_storage(self) -> None:
        """In a storage that is not durable no row is there after it was freed and opened again."""
        opened, workspace = self.open(), self.workspace()
        rows = self.samples(4)
        self.prepare(opened, workspace, rows)
        self.free(opened)
        again = self.open(version="2")
        for key, _ in rows:
            got = self.look(again, again.key(workspace, **key))
            assert got is None, f"expected None after opening again, got {got!a:.200}; say `durable = True`"

    @scenario("L11", level=Level.STABLE)
    def test_l11_a_new_version_opens_beside_the_old_one(self) -> None:
        """With `existing` given, the new storage works beside the old one and after it was freed."""
        old = self.open(version="1")
        self.use(old)
        new = self.open(version="2", existing=old.storage)
        assert new.storage is not old.storage, (
            "open() returned the storage of the old version: it is freed soon"
        )
        self.use(new)
        self.use(old)
        self.free(old)
        del old
        gc.collect()
        self.use(new)

    @scenario("L12", INSERT, level=Level.STABLE, need=_hands_over)
    def test_l12_a_new_version_has_the_rows(self) -> None:
        """The new storage has the rows of the one it replaces, also after that was freed."""
        old, workspace = self.open(version="1"), self.workspace()
        rows = self.fill(old, workspace, 8)
        new = self.open(version="2", existing=old.storage)
        self.found_again(new, rows, "while the old version still runs")
        self.free(old)
        self.found_again(new, rows, "after the old version was freed")

    def found_again(self, opened: OpenStorage, rows: dict[Key, Value], where: str) -> None:
        """Fail unless a storage of another version has *rows*, as rows of its own."""
        found = 0
        for key, value in rows.items():
            own_key = opened.rows.Key(*(getattr(key, name) for name in key.__struct_fields__))
            own_value = opened.rows.Value(*(getattr(value, name) for name in value.__struct_fields__))
            self.check(opened, own_key, own_value, f"row {key!a:.200} {where}")
            found += self.look(opened, own_key) is not None
        assert found, f"no row is there {where}"

    def use(self, opened: OpenStorage) -> None:
        """Do everything with the storage that it can do, READs that are left in the middle included."""
        facts, facade, workspace = self.facts, opened.facade, self.workspace()
        rows = self.samples(4)
        if INSERT in facts.operations:
            self.prepare(opened, workspace, rows)
        for key, value in rows:
            at = opened.key(workspace, **key)
            if GET in facts.operations:
                facade.get(at)
            if GETBATCH in facts.operations:
                facade.get_batch([at, at])
            if READ in facts.operations:
                self.leave(facade.read(self.widest(opened, at)))
            if INSERT in facts.operations and UPDATE in facts.operations:
                existing = (facts.looks and self.look(opened, at)) or opened.value(**value)
                self.apply(opened, [facade.update(at, existing, {})])

    def leave(self, reading: Any) -> None:
        """Take one row of a READ, close it, and take all rows of none."""
        next(reading, None)
        close = getattr(reading, "close", None)
        if close is not None:
            close()

    def watch_one(self) -> weakref.ref[IStateStorage]:
        """Return a reference, which does not keep it, to a storage that was used and freed."""
        opened = self.open()
        self.use(opened)
        try:
            watch = weakref.ref(opened.storage)
        except TypeError:
            pytest.fail(
                f"{type(opened.storage).__name__} cannot be weakly referenced, so a host cannot prove that "
                "it is gone: add '__weakref__' to its __slots__"
            )
        self.free(opened)
        del opened
        gc.collect()
        return watch

    def left_behind(self, look: Callable[[], Counter[Thing]]) -> Counter[Thing]:
        """Return what *look* finds anew after a storage was used and freed, if it is more with each time.

        Other threads of the process, such as that of a server which the storage asks, begin things meanwhile
        and end them a little later: those are not the storage's.
        """
        before = look()
        for _ in range(TIMES):
            self.warm_up()
            if not look() - before:
                return Counter()
        end = time.monotonic() + self.patience
        while (left := look() - before).total() >= TIMES and time.monotonic() < end:
            time.sleep(0.02)
        return left if left.total() >= TIMES else Counter()

    def warm_up(self) -> tuple[str, ...]:
        """Let first-time work, such as imports, be done; return what did not end when it was told to."""
        opened = self.open()
        self.use(opened)
        unended = self.free(opened)
        del opened
        gc.collect()
        return unended


def threads() -> Counter[threading.Thread]:
    """Return the threads of this process that run."""
    return Counter(threading.enumerate())


def descriptors() -> Counter[str]:
    """Return what the open file descriptors of this process lead to."""
    found: Counter[str] = Counter()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are wanted, not paths
        try:
            found[os.readlink(f"/proc/self/fd/{name}")] += 1  # noqa: PTH115
        except OSError:  # the descriptor of the listing itself
            continue
    return found


def _settings(logger: logging.Logger) -> tuple[object, ...]:
    return list(logger.handlers), list(logger.filters), logger.level, logger.propagate, logger.disabled
