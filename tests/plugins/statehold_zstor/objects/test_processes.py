"""Several writers at once, threads and processes, and such that are killed."""

from __future__ import annotations

import contextlib
import json
import queue
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from zstor_worlds import BLOCK, LIMIT, Place, table_of, toml_of

from statehold_zstor.config import Config
from statehold_zstor.objects import Zstor

CHILD = """
import json, os, random, sys
from pathlib import Path
from statehold_zstor.config import Config
from statehold_zstor.objects import Zstor, NotStoredError
table, seed, keys = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
zstor = Zstor(Config.of(table, folder=Path("/")))
print("ready", flush=True)
for line in sys.stdin:
    word = line.strip()
    draw = random.Random(f"{seed}/{word}")
    data = f"{seed}/{word}/".encode() + draw.randbytes(draw.randrange(20_000))
    info = zstor.store(f"key{int(word) % keys}", data)
    print(word, info.generation, len(info.missing), flush=True)
"""


class Child:
    """A process that stores what it is told to, and says when that is acknowledged."""

    def __init__(self, folder: Path, seed: int, keys: int, **changes: object) -> None:
        command = [sys.executable, "-c", CHILD, json.dumps(table_in(folder, **changes)), str(seed), str(keys)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            assert self.line() == "ready"
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.kill()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.strip())

    def line(self) -> str:
        return self._lines.get(timeout=LIMIT)

    def tell(self, *numbers: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{number}\n" for number in numbers))
        self.process.stdin.flush()

    def kill(self) -> list[str]:
        """Kill it, and return what it had acknowledged meanwhile."""
        self.process.send_signal(signal.SIGKILL)
        self._ended()
        said = []
        while not self._lines.empty():
            said.append(self._lines.get())
        return said

    def end(self) -> None:
        self._ended()
        assert self.process.returncode == 0

    def _ended(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        self.process.stdout.close()


def table_in(folder: Path, **changes: object) -> dict[str, object]:
    for name in [*(f"data-{number}" for number in range(5)), *(f"meta-{number}" for number in range(4))]:
        if not (folder / name).exists():
            (folder / name).mkdir()
    return table_of(
        urls=lambda number: (folder / f"data-{number}").as_uri(),
        meta_urls=lambda number: (folder / f"meta-{number}").as_uri(),
        **changes,
    )


def opened(folder: Path, **changes: object) -> Zstor:
    return Zstor(Config.of(table_in(folder, **changes), folder=folder))


def data_of(seed: int, number: int) -> bytes:
    draw = random.Random(f"{seed}/{number}")
    return f"{seed}/{number}/".encode() + draw.randbytes(draw.randrange(20_000))


def pieces(folder: Path) -> int:
    return sum(1 for path in folder.glob("data-*/**/*") if path.is_file() and "/data/" in str(path))


def check_killed(folder: Path, times: int) -> None:
    """Kill a writer in the middle of it, again and again: what it acknowledged is there, whole."""
    keys = 3
    newest: dict[str, tuple[int, int]] = {}
    draw = random.Random(3)
    for seed in range(times):
        with Child(folder, seed, keys) as child:
            child.tell(*range(40))
            said = [child.line() for _ in range(draw.randrange(1, 8))]
            said += child.kill()
        for line in said:
            if line.count(" ") == 2:
                number = int(line.split()[0])
                newest[f"key{number % keys}"] = seed, number
        with opened(folder) as zstor:
            for key, (acknowledged, number) in newest.items():
                found = zstor.read(key)
                seed_found, number_found = map(int, found.split(b"/", 2)[:2])
                assert found == data_of(seed_found, number_found), "a mix"
                # Newer than what was acknowledged is what the dead one was just about to be.
                assert (seed_found, number_found) >= (acknowledged, number)
                newest[key] = seed_found, number_found
                assert zstor.verify(key).whole
    with opened(folder) as zstor:
        for entry in list(zstor.world.metadata.scan(deleted=True)):
            zstor.clean(entry)
        zstor.sweep(age=-60)
        expected = sum(5 * max(1, -(-info.size // BLOCK)) for info in zstor.list())
        assert pieces(folder) == expected, "what the dead ones left is deleted, and nothing else"


def test_what_a_killed_writer_acknowledged_is_there_whole(tmp_path: Path) -> None:
    """And what it did not is nowhere, or there as a whole."""
    check_killed(tmp_path, 2)


@pytest.mark.soak
def test_what_200_killed_writers_acknowledged_is_there_whole(tmp_path: Path) -> None:
    """The same, 200 times."""
    check_killed(tmp_path, 200)


def test_a_ticket_outlives_the_kill_of_who_wrote_it(tmp_path: Path) -> None:
    """A policy lets four of five shards suffice: that the fifth is missing is known wherever one asks."""
    policy = {"acknowledge": {"minimum": 4}}
    away = tmp_path / "data-2"
    away.write_bytes(b"no folder")  # what is no folder takes no shards
    with Child(tmp_path, 1, 1, **policy) as child:
        child.tell(0)
        assert child.line() == "0 1 1"
        child.kill()
    with opened(tmp_path, **policy) as zstor:
        info = zstor.check("key0")
        assert info is not None
        assert len(info.missing) == 1
        assert zstor.status().tickets == 1
        assert zstor.read("key0") == data_of(1, 0)
        away.unlink()
        away.mkdir()
        assert zstor.rebuild("key0").repaired.keys() == set(info.missing)
        assert zstor.status().tickets == 0
        assert zstor.verify("key0").whole


def test_two_processes_that_store_one_object_make_no_mix(tmp_path: Path) -> None:
    """Each generation is one of what they stored, and nothing of the others is left."""
    count = 6
    lines: list[str] = []
    with Child(tmp_path, 1, 1) as one, Child(tmp_path, 2, 1) as two, opened(tmp_path) as zstor:
        for child in (one, two):
            child.tell(*range(count))
        for child in (one, two):
            for _ in range(count):
                lines.append(child.line())
                found = zstor.read("key0")
                seed, number = map(int, found.split(b"/", 2)[:2])
                assert found == data_of(seed, number)
            child.end()
        assert len({line.split()[1] for line in lines}) == 2 * count
        for entry in list(zstor.world.metadata.scan(deleted=True)):
            zstor.clean(entry)
        zstor.settle()
        zstor.sweep(age=-60)
        info = zstor.check("key0")
        assert info is not None
        assert pieces(tmp_path) == 5 * max(1, -(-info.size // BLOCK))


def _versions(writer: int) -> Iterator[bytes]:
    for number in range(8):
        yield random.Random(f"{writer}/{number}").randbytes(3 * BLOCK)


def test_threads_that_store_read_and_repair_one_object_see_one_generation_each() -> None:
    """While it is replaced, deleted and rebuilt all the time."""
    place = Place()
    whole = {data for writer in range(2) for data in _versions(writer)} | {b"first"}
    problems: list[BaseException] = []
    ended = threading.Event()
    with place.zstor(groups=(7,)) as zstor, place.zstor(groups=(7,)) as other:
        zstor.store("key", b"first")

        def write(writer: int) -> None:
            for data in _versions(writer):
                (zstor, other)[writer].store("key", data)

        def read() -> None:
            while not ended.is_set():
                assert other.read("key") in whole

        def repair() -> None:
            while not ended.is_set():
                verdict = zstor.verify("key")
                assert verdict.readable
                zstor.rebuild("key")

        def run(work: object, *arguments: int) -> None:
            try:
                work(*arguments)  # type: ignore[operator]
            except BaseException as error:
                problems.append(error)

        writers = [threading.Thread(target=run, args=(write, writer)) for writer in range(2)]
        others = [threading.Thread(target=run, args=(work,)) for work in (read, repair)]
        for thread in (*writers, *others):
            thread.start()
        for thread in writers:
            thread.join(LIMIT)
        ended.set()
        for thread in others:
            thread.join(LIMIT)
        assert not problems
        assert zstor.verify("key").whole
        info = zstor.check("key")
        assert info is not None
        assert info.generation >= 17
        for entry in list(zstor.world.metadata.scan(deleted=True)):
            zstor.clean(entry)
        # What was mended just when it was replaced belongs to nobody.
        zstor.settle()
        other.settle()
        zstor.sweep(age=-60)
        assert place.left() == 5 * 3


def test_a_configuration_of_folders_is_read_from_a_file(tmp_path: Path) -> None:
    """As the commands do."""
    path = tmp_path / "zstor.toml"
    path.write_text(toml_of(table_in(tmp_path)), encoding="utf-8")
    with Zstor(path) as zstor:
        zstor.store("key", b"value")
        assert zstor.read("key") == b"value"
        assert zstor.world.config.source == str(path)
    assert pieces(tmp_path) == 5
