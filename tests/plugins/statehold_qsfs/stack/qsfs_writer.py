"""A process that writes files, syncs them and says so, until it is killed: qsfs_writer.py CONFIG STEP."""

from __future__ import annotations

import sys
from pathlib import Path

from qsfs_stacks import write

from statehold_qsfs.stack import Stack, StackConfig

FILES = 12


def contents(i: int) -> bytes:
    """Return what the file has that is written in the step *i*."""
    return (b"%d." % i * 40_000)[: 3_000 + i * 7919 % 150_000]


def step_of(data: bytes) -> int:
    """Return in which step *data* were written; ValueError if they are not what was written then."""
    i = int(data.partition(b".")[0])
    if data != contents(i):
        raise ValueError(f"of the step {i} and something else")
    return i


def main() -> None:
    i = int(sys.argv[2])
    with Stack(StackConfig.read(Path(sys.argv[1]))) as stack:
        while True:
            i += 1
            write(stack.files, f"/{i % FILES}", contents(i))
            print(i, flush=True)


if __name__ == "__main__":
    main()
