"""What uses a ledger at random, as threads or as processes that are killed."""

from __future__ import annotations

import os
import random
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from statehold_zos.ledger import Claim, ClaimKind, ClaimState, Ledger, Request
from statehold_zos.model import DiskType, Mode, NoSpaceError, NotFoundError, Placement, RefusedError

OVERHEAD = 5


def furnish(folder: Path) -> None:
    """Make the pools, and the folder that stands for what is on them."""
    (folder / "made").mkdir()
    with Ledger(folder) as ledger:
        for number in range(3):
            ledger.pools.put(f"ssd-{number}", type=DiskType.SSD, size=100 * (number + 1))
            ledger.pools.put(f"hdd-{number}", type=DiskType.HDD, size=150)


class Worker:
    """Reserves, resizes and releases; what a claim stands for is a file."""

    def __init__(self, folder: Path, ledger: Ledger, seed: int) -> None:
        self.made = folder / "made"
        self.ledger = ledger
        self.chance = random.Random(seed)

    def step(self) -> None:
        """Do one thing."""
        acts: list[Callable[[], None]] = [self.reserve] * 4 + [self.release] * 3 + [self.resize, self.finish]
        # What is full, what another has released or is being removed is no error here.
        with suppress(NoSpaceError, NotFoundError, RefusedError):
            self.chance.choice(acts)()

    def reserve(self) -> None:
        number = self.chance.randint(1, 12)
        kind = self.chance.choice((ClaimKind.SPACE, ClaimKind.NAMESPACE))
        named = self.chance.random() < 0.5
        request = Request(
            kind=kind,
            type=DiskType.HDD if kind is ClaimKind.NAMESPACE else DiskType.SSD,
            size=number * 3,
            owner="app",
            name=f"name-{number}" if named else "",
            mode=Mode.SEQ if kind is ClaimKind.NAMESPACE else None,
            placement=self.chance.choice((Placement.BEST_FIT, Placement.WORST_FIT, Placement.SPREAD)),
        )
        if kind is ClaimKind.SPACE:
            claim = self.ledger.claims.reserve(request)
        else:
            claim = self.ledger.namespaces.reserve(request, overhead=OVERHEAD)
        if not claim.mine:
            return
        with self._alone(claim):
            if self.chance.random() < 0.1:
                self.ledger.claims.leave(claim.id)
                return
        if claim.server:
            self.ledger.claims.settle(claim.server)
        self.ledger.claims.settle(claim.id)

    def resize(self) -> None:
        with self.ledger.claims.at_work(self._any().id) as claim:
            if claim.state is ClaimState.READY:
                self.ledger.claims.resize(claim.id, self.chance.randint(1, 40))

    def release(self) -> None:
        claim = self.ledger.claims.begin_release(self._any().id)
        self.undo(claim)

    def finish(self) -> None:
        """Finish or undo what others left."""
        for stale in self.ledger.claims.stale():
            with suppress(NotFoundError):
                claim = self.ledger.claims.take(stale.id)
                if claim.state is ClaimState.READY or claim.kind is ClaimKind.SERVER:
                    self.ledger.claims.leave(claim.id)
                else:
                    self.undo(claim)

    def undo(self, claim: Claim) -> None:
        """Remove what a claim stands for, and the claim; its server, too, if it was the last there."""
        with self._alone(claim):
            (self.made / claim.id).unlink()
        self.ledger.claims.forget(claim.id)
        if claim.server:
            with suppress(RefusedError, NotFoundError):
                server = self.ledger.claims.begin_release(claim.server)
                self.ledger.claims.forget(server.id)

    def _any(self) -> Claim:
        claims = [claim for claim in self.ledger.claims.all() if claim.kind is not ClaimKind.SERVER]
        if not claims:
            raise NotFoundError("there is none yet")
        return self.chance.choice(claims)

    @contextmanager
    def _alone(self, claim: Claim) -> Iterator[None]:
        path, mark = self.made / claim.id, str(self.chance.random())
        path.write_text(mark)
        self.ledger.claims.get(claim.id)
        assert path.read_text() == mark, f"two are at work on {claim}"
        yield


def settle_all(folder: Path) -> None:
    """Reconcile, and hold the ledger against what was made and against itself."""
    with Ledger(folder) as ledger:
        worker = Worker(folder, ledger, 0)
        worker.finish()
        for claim in ledger.claims.all(ClaimKind.SERVER):
            with suppress(RefusedError):  # it has namespaces
                ledger.claims.forget(claim.id)
        assert ledger.check() == []
        claims = ledger.claims.all()
        assert all(claim.worker == "" for claim in claims)
        things = {claim.id: claim for claim in claims if claim.kind is not ClaimKind.SERVER}
        assert all(claim.state is ClaimState.READY for claim in things.values())
        assert {path.name for path in worker.made.iterdir()} == set(things)
        names = [(claim.kind, claim.name) for claim in claims if claim.name]
        assert len(names) == len(set(names)), "reserved twice"
        servers = {claim.id: claim for claim in claims if claim.kind is ClaimKind.SERVER}
        for claim in things.values():
            assert not claim.server or servers[claim.server].pool == claim.pool
        rows = ledger.pools.all()
        assert all(row.free >= 0 for row in rows), "over-committed"
        assert {row.server for row in rows} - {""} <= set(servers)


def main() -> None:
    """Fork a worker for each seed on the input; at its end let all of them end by themselves."""
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _work(folder, int(line))
        os.write(1, b"child %d\n" % child)
    (folder / "stop").touch()
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _work(folder: Path, seed: int) -> None:
    try:
        with Ledger(folder) as ledger:
            worker = Worker(folder, ledger, seed)
            while not (folder / "stop").exists():
                worker.step()
                os.write(1, b"step\n")
    except BaseException:
        os.write(1, b"failed: %b\n" % traceback.format_exc().replace("\n", " | ").encode()[-2000:])
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
