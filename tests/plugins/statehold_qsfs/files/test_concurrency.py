from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

from qsfs_stores_of_files import SEGMENT, Store, dump, read, write

from statehold_qsfs.files import BLOCK, FileSystem, FileSystemOptions
from statehold_zdb.engine import Engine, EngineOptions, hookimpl

LONG = 60.0


def together(*acts: Callable[[], object]) -> None:
    """Do all at once; what one raises is raised."""
    failed: list[BaseException] = []

    def run(act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert not any(thread.is_alive() for thread in threads)
    if failed:
        raise failed[0]


def test_four_who_write_do_not_disturb_each_other(store: Store) -> None:
    files = store.open(flush_every=0.02, cached_nodes=16, dirty_limit=2**20)

    def act(number: int) -> None:
        chance = random.Random(number)
        files.mkdir(f"/{number}", 0o755)
        known: dict[str, bytes] = {}
        for i in range(120):
            path = f"/{number}/{chance.randrange(10)}"
            kind = chance.random()
            if kind < 0.6:
                data = chance.randbytes(chance.choice([10, 4096, 50_000, BLOCK + 1]))
                handle = files.create(path, os.O_RDWR, 0o600)
                files.ftruncate(handle, 0)
                files.write(handle, data, 0)
                if i % 7 == 0:
                    files.fsync(handle)
                files.release(handle)
                known[path] = data
            elif kind < 0.75 and path in known:
                files.unlink(path)
                del known[path]
            elif kind < 0.85 and path in known:
                files.rename(path, f"/{number}/x")
                known[f"/{number}/x"] = known.pop(path)
            else:
                for each, data in known.items():
                    assert read(files, each) == data
        for each, data in known.items():
            assert read(files, each) == data
        assert sorted(entry.name for entry in files.list(f"/{number}")) == sorted(
            each.rsplit("/", 1)[1] for each in known
        )

    together(*(lambda number=number: act(number) for number in range(4)))
    report = files.check(deep=True)
    assert not report.problems, report
    before = dump(files)
    assert dump(store.reopen()) == before


def test_a_file_is_read_whole_while_it_is_replaced_and_blocks_are_deleted(store: Store) -> None:
    files = store.open(flush_every=0.01)
    write(files, "/file", b"0" * 2 * BLOCK)
    files.snapshot("start")
    done = threading.Event()

    def replace() -> None:
        try:
            for i in range(30):
                write(files, "/new", str(i % 10).encode() * 2 * BLOCK)
                files.rename("/new", "/file")
                files.sync()
        finally:
            done.set()

    def look() -> None:
        while not done.is_set():
            found = read(files, "/file")
            assert found == found[:1] * 2 * BLOCK

    def look_back() -> None:
        while not done.is_set():
            with files.at("start") as view:
                assert read(view, "/file") == b"0" * 2 * BLOCK

    together(replace, look, look_back)


class Elsewhere:
    """Brings a segment back when it is told to."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.asked, self.go = threading.Event(), threading.Event()

    @hookimpl
    def zdb_missing_data(self, namespace: str, path: str) -> bool:
        self.asked.set()
        assert self.go.wait(LONG)
        Path(path).write_bytes(self.kept[path])
        return True


def test_a_read_waits_for_a_segment_that_is_elsewhere_and_others_go_on(tmp_path: Path) -> None:
    elsewhere = Elsewhere()
    options = EngineOptions(segment_size=SEGMENT, fetch_limit=LONG)
    with (
        Engine(tmp_path / "data", tmp_path / "index", options=options, plugins=[elsewhere]) as engine,
        FileSystem(engine, options=FileSystemOptions(flush_every=3600)) as files,
    ):
        write(files, "/far", b"f" * 3 * BLOCK)
        files.sync()
        write(files, "/near", b"n" * 3 * BLOCK)
        files.sync()
        data = engine["qsfs-data"]
        data.jump()
        first = data.segments()[0]
        elsewhere.kept[first.path] = Path(first.path).read_bytes()
        assert data.evict(first.number)

        def others() -> None:
            try:
                assert elsewhere.asked.wait(LONG)
                handle = files.open("/far", os.O_RDWR)
                files.write(handle, b"g" * 10, 5)  # needs nothing of what is elsewhere
                files.fsync(handle)
                files.release(handle)
                write(files, "/new", b"new")
                files.sync()
                assert read(files, "/new") == b"new"
            finally:
                elsewhere.go.set()

        together(others, lambda: read(files, "/far"))
        assert read(files, "/far") == b"f" * 5 + b"g" * 10 + b"f" * (3 * BLOCK - 15)
