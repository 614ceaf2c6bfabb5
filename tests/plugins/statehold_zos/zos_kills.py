"""Kills whoever works on a namespace at one line after another: `zos_kills.py FOLDER STRIDE FIRST [0-DB]`.

A process of its own, which forks for each kill: it has no threads, so its children may do anything.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

for _folder in (Path(__file__).parent, Path(__file__).parents[1], Path(__file__).parents[2]):
    sys.path.insert(0, str(_folder))

from zos_namespaces import PASSWORD, Served, end_all, refused  # noqa: E402 - the folders come first
from zos_pools import MIB, folders_node  # noqa: E402

from statehold_zos.model import Config, DiskType, Mode, NamespaceState, NotFoundError, ZosError  # noqa: E402

CODE = str(Path("statehold_zos") / "namespaces")


def killed(folder: Path, zdb: Path | None, work: Callable[[Served], object], line: int) -> bool:
    """Do *work* in a process that is killed at a line; say whether it came so far."""
    child = os.fork()
    if not child:
        seen: set[tuple[str, int]] = set()

        def step(frame: FrameType, event: str, _: object) -> object:
            if CODE not in frame.f_code.co_filename:
                return None
            if event == "line":
                seen.add((frame.f_code.co_filename, frame.f_lineno))
                if len(seen) == line:
                    os.kill(os.getpid(), signal.SIGKILL)
            return step

        node = opened(folder, zdb)
        sys.settrace(step)
        work(node)
        sys.settrace(None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or not status, f"it failed at line {line}"
    return os.WIFSIGNALED(status)


def opened(folder: Path, zdb: Path | None) -> Served:
    """Open the node, as each process does."""
    node = folders_node(folder)
    return Served(node, Config(folder=node.folder, grace=60, zdb=zdb))


def check(node: Served) -> None:
    """Raise where a namespace is open to anybody, or without a limit, right after a kill."""
    for server in node.namespaces.processes():
        with suppress(ZosError), node.admin(server) as admin:
            for name, found in admin.found(admin.names()).items():
                usable = found.password and not found.public and found.maxsize
                assert usable or found.locked, f"{name} is {found}"


def kill_at_each(folder: Path, zdb: Path | None, stride: int, first: int) -> int:
    """Kill each kind of work at each *stride*-th line, and return how often; all agrees after each."""
    reserve = lambda node: node.namespaces.reserve(  # noqa: E731
        DiskType.SSD, MIB, Mode.SEQ, PASSWORD, owner="o", name="n"
    )
    works: dict[str, Callable[[Served], object]] = {
        "reserve": reserve,
        "grow": lambda node: node.namespaces.resize(name_of(node), 3 * MIB),
        "shrink": lambda node: node.namespaces.resize(name_of(node), MIB),
        "freeze": lambda node: node.namespaces.freeze(name_of(node)),
        "release": lambda node: node.namespaces.release(name_of(node)),
        "delete": lambda node: node.namespaces.release(name_of(node), now=True),
    }
    kills = 0
    for alone in (False, True):
        node = opened(folder, zdb)
        if not alone:  # a server is there already, and stays
            node.namespaces.reserve(DiskType.SSD, MIB, Mode.USER, PASSWORD, owner="o", name="other")
        for what, work in works.items():
            if alone and what not in {"reserve", "delete"}:
                continue  # with its server or without, that is the same
            # Servers that have to be started take their time.
            line, every = first, stride * (3 if alone else 1)
            while True:
                prepare(node, what)
                node.node.ledger.close()
                came = killed(folder, zdb, work, line)
                node = opened(folder, zdb)
                check(node)
                report = node.namespaces.reconcile()
                assert not report.faults, (what, line, report)
                assert not report.unknown, (what, line, report)
                wrong = node.disagreements()
                assert not wrong, (what, line, wrong, report)
                if not came:
                    break
                line, kills = line + every, kills + 1
        for each in node.namespaces.list():
            node.namespaces.release(each.id, now=True)
        assert node.disagreements() == []
        assert node.namespaces.processes() == []
        node.node.ledger.close()
    return kills


def name_of(node: Served) -> str:
    """Return the id of the namespace that is worked on."""
    found = node.namespaces.find("o", "n")
    assert found is not None
    return found.id


def prepare(node: Served, what: str) -> None:
    """Have things as they are before a kind of work."""
    for each in node.namespaces.list():
        if each.name != "other" and (what == "reserve" or each.state is NamespaceState.RELEASED):
            with suppress(NotFoundError):
                node.namespaces.release(each.id, now=True)
    if what == "reserve":
        return
    found = node.namespaces.reserve if node.namespaces.find("o", "n") is None else None
    if found is not None:
        found(DiskType.SSD, MIB, Mode.SEQ, PASSWORD, owner="o", name="n")
    name = name_of(node)
    node.namespaces.resize(name, 3 * MIB if what == "shrink" else MIB)
    node.namespaces.freeze(name, frozen=False)
    made = node.namespaces.get(name)
    assert refused(made, PASSWORD) == ""
    assert refused(made) == "Namespace protected and private"


if __name__ == "__main__":
    place = Path(sys.argv[1])
    other = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    try:
        print(kill_at_each(place, other, int(sys.argv[2]), int(sys.argv[3])))
    finally:
        end_all(place / "node" / "zdb")
