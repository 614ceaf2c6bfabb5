"""kill -9 while threads write, in every durability."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from zdb_engines import SEGMENT, contents, opened, scanned

from statehold_zdb.engine import Durability

# Four threads write, update and delete keys of their own, and say so when it is done.
WRITER = textwrap.dedent(
    """
    import random, sys, threading
    from pathlib import Path
    from statehold_zdb.engine import Durability, Engine, EngineOptions

    folder, durability, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    options = EngineOptions(durability=Durability.parse(durability), segment_size=512 * 1024)
    engine = Engine(folder / "data", folder / "index", options=options)
    namespace = engine["default"]
    said = threading.Lock()

    def write(number):
        draw = random.Random(seed * 10 + number)
        step = 0
        while True:
            step += 1
            key = b"%d-%d" % (number, draw.randrange(200))
            if draw.random() < 0.15:
                namespace.delete(key)
                line = f"{key.decode()} - {seed} {step}"
            else:
                size = draw.choice([0, 10, 500, 20_000])
                namespace.set(key, b"%d.%d." % (seed, step) + key + b"x" * size)
                line = f"{key.decode()} {size} {seed} {step}"
            with said:
                print(line, flush=True)

    def compact():
        while True:
            namespace.compact(dead=0.3)

    for number in range(4):
        threading.Thread(target=write, args=(number,), daemon=True).start()
    if seed % 2:
        threading.Thread(target=compact, daemon=True).start()
    threading.Event().wait()
    """
)


def payload(key: bytes, said: list[str]) -> bytes | None:
    size, seed, step = said
    return None if size == "-" else f"{seed}.{step}.".encode() + key + b"x" * int(size)


def kill_while_it_writes(folder: Path, durability: str, rounds: int) -> None:
    model: dict[bytes, bytes] = {}
    draw = random.Random(rounds)
    for number in range(rounds):
        done: dict[bytes, bytes | None] = {}
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), durability, str(number)],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(draw.randint(1, 400))]
            process.kill()
            # What it said before it died counts, too.
            lines += process.stdout.read().split("\n")[:-1]
        last: dict[int, int] = {}
        for line in lines:
            words = line.split()
            if len(words) == 4:
                key = words[0].encode()
                done[key] = payload(key, words[1:])
                last[int(words[0].split("-")[0])] = int(words[3])
        with opened(folder, durability=Durability.parse("relaxed"), segment_size=SEGMENT) as engine:
            namespace = engine["default"]
            found = contents(namespace)
            expected = {**model, **done}
            # Each thread may have done one thing more than it came to say.
            different = [key for key in {*found, *expected} if found.get(key) != expected.get(key)]
            assert len(different) <= 4, different
            assert len({key.split(b"-")[0] for key in different}) == len(different)
            for key in different:
                value = found.get(key)
                if value is not None:
                    seed, step, rest = value.split(b".", 2)
                    assert rest.startswith(key)
                    assert (int(seed), int(step)) == (number, last.get(int(key.split(b"-")[0]), 0) + 1)
            assert sorted(scanned(namespace, limit=1000)) == sorted(found)
            assert namespace.figures().live_bytes == sum(map(len, found.values()))
            model = found
    # The index equals a replay of the data.
    for index in (folder / "index" / "default").glob("i*"):
        index.unlink()
    with opened(folder) as engine:
        assert contents(engine["default"]) == model


@pytest.mark.parametrize("durability", ["every", "group", "relaxed"])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, durability: str) -> None:
    """CRCs hold, the index is what the data say, and each key is as it was said to be."""
    kill_while_it_writes(tmp_path, durability, 2)


@pytest.mark.parametrize("durability", ["every", "group", "relaxed"])
def test_a_batch_larger_than_a_segment_is_there_after_a_crash(tmp_path: Path, durability: str) -> None:
    """All that was acknowledged, also what stands at the end of a segment that it goes beyond."""
    model = {b"%d" % i: b"y" * 200_000 for i in range(7)}
    for turn in range(3):
        engine = opened(tmp_path, durability=Durability.parse(durability), segment_size=SEGMENT)
        engine["default"].write([*model.items(), (b"last", b"%d" % turn)])
        engine["default"].abandon("it died")
        engine.close()
        model[b"%d" % turn] = b"z" * 300_000
        with opened(tmp_path, segment_size=SEGMENT) as engine:
            found = contents(engine["default"])
            assert found[b"last"] == b"%d" % turn
            assert all(found[b"%d" % i] == b"y" * 200_000 for i in range(turn, 7))


@pytest.mark.soak
@pytest.mark.parametrize("durability", ["every", "group", "relaxed"])
def test_kill_9_many_times(tmp_path: Path, durability: str) -> None:
    """The same, 200 times in every durability."""
    kill_while_it_writes(tmp_path, durability, 200)
