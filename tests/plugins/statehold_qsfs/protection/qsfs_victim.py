"""A process that writes, waits at barriers and says so, until it is killed: qsfs_victim.py FOLDER STORE."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from qsfs_machines import SEGMENT, Machine, payload
from qsfs_stores import LIMIT, FolderStore

from statehold_qsfs.protection import restore

KEYS = 97
SIZE = 6000


def machine(folder: Path, store: Path) -> Machine:
    return Machine(
        folder,
        FolderStore(store),
        window=1.0,
        limit=6 * SEGMENT,
        evict_last=frozenset({"meta"}),
        compact_at=0.3,
        compact_every=0.1,
    )


def expected(n: int) -> dict[bytes, bytes]:
    """Return what there is after the step *n*."""
    found = {b"n": b"%d" % n} if n else {}
    for i in range(max(1, n - KEYS + 1), n + 1):
        if i % 5 != 4:
            found[b"%d" % (i % KEYS)] = payload(i, SIZE)
    return found


def step(one: Machine, i: int) -> None:
    """Do the step *i*: the data first, and then what refers to them."""
    value = None if i % 5 == 4 else payload(i, SIZE)
    one.engine["data"].write([(b"%d" % (i % KEYS), value), (b"n", b"%d" % i)])
    one.engine["meta"].set(b"n", b"%d" % i)


def check(contents: Mapping[str, Mapping[bytes, bytes | None]], least: int) -> int:
    """Return up to which step all is there, and nothing else; at least *least*."""
    n = int(contents.get("data", {}).get(b"n") or 0)
    meta = int(contents.get("meta", {}).get(b"n") or 0)
    assert n >= least
    assert n - meta in (0, 1)
    found, wanted = contents.get("data", {}), expected(n)
    wrong = {key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)}
    assert not wrong, {key: (found.get(key, b"")[:9], wanted.get(key, b"")[:9]) for key in sorted(wrong)}
    return n


def main() -> None:
    folder, store = Path(sys.argv[1]), Path(sys.argv[2])
    if len(sys.argv) > 3:
        restore(FolderStore(store), folder)
        return
    with machine(folder, store) as one:
        for name in ("data", "meta"):
            if one.engine.get(name) is None:
                one.engine.create(name)
        i = int(one.engine["data"].get(b"n") or 0)
        while i < 1_000_000:
            for _ in range(1 + i % 13):
                i += 1
                step(one, i)
            one.protection.barrier(LIMIT)
            print(i, flush=True)


if __name__ == "__main__":
    main()
