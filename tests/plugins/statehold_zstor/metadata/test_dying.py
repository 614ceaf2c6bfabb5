"""A writer dies at every step: who reads then gets what was there before, or what is there now, whole."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from metadata_shelves import KilledError, Shelf, meta, metadata_on, shelves

from statehold_zstor.backends import open_backend
from statehold_zstor.codec import MasterKey
from statehold_zstor.config import BackendConfig
from statehold_zstor.metadata import (
    Entry,
    Metadata,
    MetadataConflictError,
    MetadataUnavailableError,
)

COUNT = 4
LIMIT = 60
KILLS = 2
#: How many swaps each backend sees before the writer dies: some promises, or all of them and some writes.
STEPS = sorted(set(itertools.product((0, 1), repeat=COUNT)) | set(itertools.product((1, 2), repeat=COUNT)))


ANY_DOWN = [*itertools.combinations(range(COUNT), 1), *itertools.combinations(range(COUNT), 2)]


def killed_writer(
    found: list[Shelf], steps: Sequence[int], expected: Entry | None, generation: int = 2
) -> None:
    """Write, and die where *steps* say."""
    done = [0] * COUNT

    def before(number: int, call: str) -> None:
        if call != "swap":
            return
        if done[number] >= steps[number]:
            raise KilledError
        done[number] += 1

    with (
        metadata_on(found, before=before) as writer,
        contextlib.suppress(KilledError, MetadataConflictError),
    ):
        writer.write(meta("key", generation), expected=expected.version if expected is not None else None)


def written(found: list[Shelf]) -> Entry:
    with metadata_on(found) as writer:
        first = writer.write(meta("key", 0), expected=None)
        return writer.write(meta("key", 1), expected=first.version)


def read(found: list[Shelf], *down: int) -> Entry | None:
    for number, shelf in enumerate(found):
        shelf.down = number in down
    try:
        with metadata_on(found) as reader:
            entry = reader.read("key")
            return None if entry is None else msgspec.structs.replace(entry, missing=())
    finally:
        for shelf in found:
            shelf.down = False


def copies(found: list[Shelf]) -> list[Shelf]:
    return [Shelf(shelf.name, dict(shelf.values)) for shelf in found]


@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_a_writer_that_dies_at_any_step_leaves_the_old_or_the_new_whole(steps: tuple[int, ...]) -> None:
    """Whichever backends are away then, as long as as many are there as a settled read takes."""
    start = shelves(COUNT)
    before = written(start)
    killed_writer(start, steps, before)
    new = meta("key", 2)
    for down in ((), *ANY_DOWN[sum(steps) % 3 :: 3]):
        found = copies(start)
        entry = read(found, *down)
        assert entry is not None
        assert entry.meta in (before.meta, new), down
        if steps == (2,) * COUNT:
            assert entry.meta == new
        if max(steps) < 2:
            assert entry.meta == before.meta


@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_what_was_read_after_a_writer_died_stays_and_can_be_written_over(steps: tuple[int, ...]) -> None:
    """The reader has finished what was begun, or undone it."""
    found = shelves(COUNT)
    killed_writer(found, steps, written(found))
    entry = read(found)
    assert entry is not None
    for down in range(COUNT):
        assert read(found, down) == entry
    with metadata_on(found) as writer:
        after = writer.write(meta("key", 3), expected=entry.version)
        assert writer.read("key") == after
    for down in itertools.combinations(range(COUNT), 2):
        assert read(found, *down) == after


@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_a_first_writer_that_dies_leaves_the_object_or_nothing_at_all(steps: tuple[int, ...]) -> None:
    found = shelves(COUNT)
    killed_writer(found, steps, None)
    entry = read(found)
    assert entry is None or entry.meta == meta("key", 2)
    assert read(found, 0) == entry
    with metadata_on(found) as other:
        other.refresh_all()
        assert bool(entry) == any(shelf.values for shelf in found)
        other.write(meta("key", 5), expected=entry.version if entry is not None else None)


@pytest.mark.parametrize("steps", list(itertools.product((0, 1, 2, 3), repeat=COUNT))[::7], ids=str)
def test_a_deletion_that_dies_leaves_the_object_or_nothing(steps: tuple[int, ...]) -> None:
    """Also where the states themselves were being removed."""
    found = shelves(COUNT)
    before = written(found)
    done = [0] * COUNT

    def kill(number: int, call: str) -> None:
        if call == "swap":
            if done[number] >= steps[number]:
                raise KilledError
            done[number] += 1

    with metadata_on(found, before=kill) as writer, contextlib.suppress(KilledError):
        writer.delete("key", expected=before.version)
    entry = read(found)
    assert entry is None or entry.meta == before.meta
    for down in range(COUNT):
        assert read(found, down) == entry
    with metadata_on(found) as other:
        other.refresh_all()
        assert bool(entry) == any(shelf.values for shelf in found)


def die_in_a_row(seed: int) -> None:
    draw = random.Random(seed)
    found = shelves(COUNT)
    expected: Entry | None = written(found)
    possible = {1}
    for generation in range(2, 6):
        steps = [draw.randint(0, 4) for _ in range(COUNT)]
        killed_writer(found, steps, expected, generation)
        possible.add(generation)
        down = draw.choice([*ANY_DOWN, ()])
        expected = read(copies(found) if draw.random() < 0.5 else found, *down)
        assert expected is not None, (steps, down)
        assert expected.meta is not None
        assert expected.meta.generation in possible
        assert expected.meta == meta("key", expected.meta.generation)


@pytest.mark.parametrize("seed", [*range(7), 33])
def test_writers_that_die_one_after_another_leave_one_of_what_they_wrote_whole(seed: int) -> None:
    """With any two of the four backends away after each."""
    die_in_a_row(seed)


@pytest.mark.soak
def test_thousands_of_writers_that_die_leave_one_of_what_they_wrote_whole() -> None:
    for seed in range(100, 400):
        die_in_a_row(seed)


@pytest.mark.parametrize("acknowledge", [3, 4])
def test_what_was_acknowledged_is_never_taken_for_what_was_before(acknowledge: int) -> None:
    """Not even where few of those who have it answer: then that is said."""
    for away in range(COUNT):
        found = shelves(COUNT)
        with metadata_on(found, acknowledge=acknowledge) as writer:
            first = writer.write(meta("key", 1), expected=None)
            found[away].down = acknowledge < COUNT
            new = writer.write(meta("key", 2), expected=first.version)
        for up in range(1, 2**COUNT):
            for number, shelf in enumerate(found):
                shelf.down = not up & 1 << number
            with metadata_on(found, acknowledge=acknowledge) as reader:
                try:
                    entry = reader.read("key")
                except MetadataUnavailableError:
                    assert up.bit_count() < acknowledge
                else:
                    assert entry is not None
                    assert entry.meta == new.meta


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from metadata_shelves import meta
from statehold_zstor.backends import open_backend
from statehold_zstor.codec import MasterKey
from statehold_zstor.config import BackendConfig
from statehold_zstor.metadata import Metadata
backends = [open_backend(BackendConfig(url=url)) for url in {urls!r}]
metadata = Metadata(backends, minimal=2, key=MasterKey(b"m" * 32), prefix="test")
entry = metadata.read("key")
while True:
    number = entry.meta.generation + 1 if entry is not None else 1
    print(f"begun {{number}}", flush=True)
    entry = metadata.write(meta("key", number), expected=entry.version if entry is not None else None)
    print(f"done {{number}}", flush=True)
"""


@contextlib.contextmanager
def on_folders(urls: list[str]) -> Iterator[Metadata]:
    backends = [open_backend(BackendConfig(url=url)) for url in urls]
    with Metadata(backends, minimal=2, key=MasterKey(b"m" * 32), prefix="test") as found:
        yield found


def kill_writers(tmp_path: Path, kills: int, seed: int) -> None:
    urls = []
    for number in range(COUNT):
        (tmp_path / f"b{number}").mkdir()
        urls.append(f"file://{tmp_path}/b{number}")
    program = tmp_path / "writer.py"
    program.write_text(WRITER.format(path=sys.path, urls=urls))
    draw = random.Random(seed)
    for _ in range(kills):
        with subprocess.Popen(
            [sys.executable, "-X", "faulthandler", str(program)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            lines = []
            for _ in range(draw.randint(1, 8)):
                line = process.stdout.readline()
                assert line, (process.wait(LIMIT), process.stderr and process.stderr.read())
                lines.append(line)
            os.kill(process.pid, signal.SIGKILL)
            lines += process.stdout.readlines()
            process.wait(LIMIT)
        begun = [int(line.split()[1]) for line in lines if line.startswith("begun")]
        done = [int(line.split()[1]) for line in lines if line.startswith("done")]
        with on_folders(urls) as reader:
            entry = reader.read("key")
            found = entry.meta.generation if entry is not None and entry.meta is not None else 0
            assert max(done, default=begun[0] - 1) <= found <= max(begun)
            if entry is not None:
                assert entry.meta == meta("key", found)


def test_a_process_that_is_killed_while_it_writes_loses_nothing_it_was_told_is_written(
    tmp_path: Path,
) -> None:
    kill_writers(tmp_path, KILLS, 1)


@pytest.mark.soak
def test_two_hundred_processes_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    kill_writers(tmp_path, 200, 2)


def test_a_late_writer_is_told_that_it_was_second() -> None:
    found = shelves(COUNT)
    before = written(found)
    with metadata_on(found) as one, metadata_on(found) as two:
        new = one.write(meta("key", 2), expected=before.version)
        with pytest.raises(MetadataConflictError, match="key: somebody else has written"):
            two.write(meta("key", 3), expected=before.version)
        with pytest.raises(MetadataConflictError):
            two.delete("key", expected=before.version)
        with pytest.raises(MetadataConflictError):
            two.write(meta("key", 3), expected=None)
        assert two.read("key") == new
