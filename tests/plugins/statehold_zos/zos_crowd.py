"""Eight processes that reserve, resize, release, and are killed: `zos_crowd.py FOLDER KILLS MOVES`.

A process of its own, which forks them: it has no threads, so its children may do anything.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import traceback
from pathlib import Path

for _folder in (Path(__file__).parent, Path(__file__).parents[1], Path(__file__).parents[2]):
    sys.path.insert(0, str(_folder))

from zos_namespaces import PASSWORD, Served, end_all  # noqa: E402 - the folders come first
from zos_pools import MIB, folders_node  # noqa: E402

from statehold_zos.model import Config, DiskType, Mode, NoSpaceError, NotFoundError, RefusedError  # noqa: E402

CROWD = 8
POOLS = ("a", "b", "c")


def crowded(folder: Path) -> Served:
    """Open the node of the crowd."""
    node = folders_node(folder, size=24 * MIB, pools=POOLS)
    return Served(node, Config(folder=node.folder, grace=0))


def work(node: Served, seed: int, told: int) -> None:
    """Do one thing after another, without end; what another has taken or done first is no error."""
    chance = random.Random(seed)
    while True:
        os.write(told, b".")
        name = f"n{chance.randrange(8)}"
        try:
            found = node.namespaces.find("o", name)
            if found is None:
                mode = Mode.SEQ if name < "n4" else Mode.USER
                size = chance.choice((MIB, 2 * MIB, 6 * MIB))
                node.namespaces.reserve(DiskType.SSD, size, mode, PASSWORD, owner="o", name=name)
            elif chance.random() < 0.5:
                node.namespaces.release(found.id)
            elif chance.random() < 0.9:
                node.namespaces.resize(found.id, chance.choice((MIB, 2 * MIB, 6 * MIB)))
            else:
                node.namespaces.reconcile()
        except (NoSpaceError, NotFoundError, RefusedError):
            continue


def start(folder: Path, seed: int) -> tuple[int, int]:
    """Start one of the crowd, and return it with the pipe that tells of each thing it begins."""
    heard, told = os.pipe()
    child = os.fork()
    if child:
        os.close(told)
        return child, heard
    try:
        os.close(heard)
        work(crowded(folder), seed, told)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def kill(child: int, heard: int, moves: int) -> None:
    """Kill one that has begun so many things."""
    while moves > 0:
        begun = os.read(heard, moves)
        assert begun, "it has ended"
        moves -= len(begun)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it has failed"
    os.close(heard)


def storm(folder: Path, kills: int, moves: int) -> None:
    """Kill one after another, and look at what is left in the end."""
    chance = random.Random(7)
    crowd = [start(folder, seed) for seed in range(CROWD)]
    try:
        for seed in range(CROWD, CROWD + kills):
            kill(*crowd.pop(chance.randrange(len(crowd))), moves)
            crowd.append(start(folder, seed))
    finally:
        while crowd:
            kill(*crowd.pop(), 1)
    node = crowded(folder)
    # What is left of those who were killed is put right, and then nothing is wrong.
    report = node.namespaces.reconcile()
    assert (report.faults, report.unknown, report.missing) == ((), (), ()), report
    assert node.namespaces.reconcile().clean
    assert node.disagreements() == []
    for namespace in node.namespaces.list():
        node.namespaces.release(namespace.id)
    assert node.namespaces.list() == ()
    assert node.namespaces.processes() == []
    assert node.disagreements() == []
    assert [node.node.free(pool) for pool in POOLS] == [24 * MIB] * 3


if __name__ == "__main__":
    place = Path(sys.argv[1])
    try:
        storm(place, int(sys.argv[2]), int(sys.argv[3]))
    finally:
        end_all(place / "node" / "zdb")
