"""Writes to a filesystem until it is killed, and says on standard output what is durable."""

from __future__ import annotations

import os
import random
import sys
import threading
from hashlib import sha256
from pathlib import Path

from statehold_qsfs.files import BLOCK, FileSystem, FileSystemOptions
from statehold_zdb.engine import Engine, EngineOptions

WRITERS = 3
FILES = 4


def contents(name: str, version: int) -> bytes:
    """Return what a file has in a version, of some size."""
    seed = sha256(f"{name} {version}".encode()).digest()
    size = random.Random(seed).choice([0, 10, 4096, 5000, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
    return (seed * (size // len(seed) + 1))[:size]


def line(name: str, number: int) -> bytes:
    """Return a line of a log."""
    return f"{name} {number} {'x' * (number * 37 % 300)}\n".encode()


def main() -> None:
    folder, start, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    engine = Engine(
        folder / "data", folder / "index", options=EngineOptions(segment_size=1 << 20, compact_at=0.5)
    )
    files = FileSystem(engine, options=FileSystemOptions(flush_every=0.05))
    said = threading.Lock()

    def say(text: str) -> None:
        with said:
            os.write(1, f"{text}\n".encode())

    def write(writer: int) -> None:
        chance = random.Random(f"{seed} {writer}")
        log = f"/log{writer}"
        logged = files.create(log, os.O_RDWR, 0o600)
        number = files.fgetattr(logged).size
        version = start
        for count in range(10_000_000):
            version += 1
            name = f"/w{writer}/f{chance.randrange(FILES)}"
            if chance.random() < 0.7:  # new contents replace the old in one step
                new = files.create(f"{name}.new", os.O_RDWR | os.O_TRUNC, 0o600)
                files.ftruncate(new, 0)
                files.write(new, contents(name, version), 0)
                files.fsync(new)
                files.release(new)
                files.rename(f"{name}.new", name)
                folder = files.opendir(f"/w{writer}")
                files.fsync(folder)
                files.release(folder)
                say(f"file {name} {version}")
            elif chance.random() < 0.5:  # the same file, with holes and cuts, and a name that goes
                other = files.create(f"/w{writer}/scratch{count % 3}", os.O_RDWR, 0o600)
                for _ in range(5):
                    files.write(other, os.urandom(chance.randrange(1, 9000)), chance.randrange(4 * BLOCK))
                files.ftruncate(other, chance.randrange(3 * BLOCK))
                files.unlink(f"/w{writer}/scratch{count % 3}")
                files.release(other)
            else:
                text = line(log, number)
                files.write(logged, text, number)
                number += len(text)
                files.fsync(logged)
                say(f"log {log} {number}")

    for writer in range(WRITERS):
        if all(entry.name != f"w{writer}" for entry in files.list("/")):
            files.mkdir(f"/w{writer}", 0o700)
    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
