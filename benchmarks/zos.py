"""What a reservation costs where very much is reserved already."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import attrs

from benchmarks._measure import Row, within
from statehold_zos.ledger import ClaimKind, Ledger, Request
from statehold_zos.ledger import _rows as statements
from statehold_zos.ledger._file import File
from statehold_zos.ledger._shelf import SqlShelf
from statehold_zos.model import DiskType, NoSpaceError, Placement
from statehold_zos.planning import Demand, MemoryShelf, Room, Shelf, choose

POOLS = 10_000
CLAIMS = 1_000_000
CALLS = 300
TIB = 1024**4
MIB = 1024**2

# Opens a ledger, reserves, looks at what is stale, and says how much memory that took.
USE = """
import sys
from pathlib import Path
from statehold_zos.ledger import ClaimKind, Ledger, Request
from statehold_zos.model import DiskType
with Ledger(Path(sys.argv[1])) as ledger:
    for _ in range(1000):
        request = Request(kind=ClaimKind.SPACE, type=DiskType.SSD, size=2**30)
        ledger.claims.forget(ledger.claims.settle(ledger.claims.reserve(request).id).id)
    assert not ledger.claims.stale()
    memory = next(line for line in open("/proc/self/status") if line.startswith("VmRSS"))
    print(memory.split()[1])
"""


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    # Not in /tmp, which may be memory: a reservation is on the disk when it is told.
    with tempfile.TemporaryDirectory(dir="build") as folder:
        small, large = Path(folder) / "small", Path(folder) / "large"
        _fill(small, POOLS // 10, CLAIMS // 10)
        _fill(large, POOLS, CLAIMS)
        yield from _linear(small, large)
        yield from _reservations(large)
        yield from _planning(large)


def _fill(folder: Path, pools: int, claims: int) -> None:
    """Reserve so much, in one transaction: only that is not as it would have come about."""
    chance = random.Random(1)
    with Ledger(folder) as ledger:
        pass
    file = File(folder / "ledger.db")
    names = [f"pool-{number:05d}" for number in range(pools)]
    with file.write() as sql:
        sql.executemany(
            "INSERT INTO pools (id, type, size, budget, free, state) VALUES (?, 'ssd', ?, ?, ?, 'ready')",
            [(name, size, size, size) for name in names for size in [chance.randint(1, 8) * TIB]],
        )
        for number in range(claims):
            request = Request(
                kind=ClaimKind.SPACE,
                type=DiskType.SSD,
                size=chance.randint(1, 8192) * MIB,
                owner=f"app-{number % 100}",
                name=f"space-{number}",
            )
            statements.insert(sql, request, chance.choice(names), "")
        sql.execute("UPDATE claims SET state = 'ready'")
    with file.read() as sql:
        assert sql.execute("SELECT count(*) FROM claims").fetchone() == (claims,)
    file.close()
    with Ledger(folder) as ledger:
        assert ledger.check() == []


def _linear(small: Path, large: Path) -> Iterator[Row]:
    sizes = [(folder / "ledger.db").stat().st_size / MIB for folder in (small, large)]
    yield _bar("0-OS ledger, 1,000,000 reservations: file", sizes[1], 10 * sizes[0], "10 x that of 100,000")
    memory = [_memory(folder) for folder in (small, large)]
    yield _bar("0-OS ledger, 1,000,000 reservations: memory", memory[1], memory[0], "that of 100,000")


def _memory(folder: Path) -> float:
    done = subprocess.run([sys.executable, "-c", USE, folder], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def _reservations(folder: Path) -> Iterator[Row]:
    request = Request(kind=ClaimKind.SPACE, type=DiskType.SSD, size=3 * 1024**3)
    numbers = iter(range(10**9))
    with Ledger(folder) as ledger:
        claims = ledger.claims

        def reserve(placement: Placement) -> float:
            wanted = [
                attrs.evolve(request, placement=placement, owner="bench", name=f"bench-{next(numbers)}")
                for _ in range(CALLS)
            ]
            return _median(partial(claims.reserve, each) for each in wanted)

        for placement in Placement:
            yield within(
                f"0-OS reservation, {POOLS:,} pools with {CLAIMS:,}, {placement.value}",
                partial(reserve, placement),
                limit=1.0,
                unit="ms",
                rounds=5,
            )
        held = [claim.id for claim in claims.all(owner="bench")]
        yield within(
            f"0-OS reservation settled, {POOLS:,} pools with {CLAIMS:,}",
            lambda: _median(partial(claims.settle, held.pop()) for _ in range(CALLS)),
            limit=1.0,
            unit="ms",
            rounds=5,
        )
        too_large = attrs.evolve(request, size=10**18, room=10**18, placement=Placement.SPREAD)
        yield within(
            f"0-OS reservation refused, {POOLS:,} pools with {CLAIMS:,}, spread, which looks at all",
            lambda: _median(partial(_refused, ledger, too_large) for _ in range(CALLS)),
            limit=1.0,
            unit="ms",
            rounds=5,
        )
        assert ledger.check() == []


def _refused(ledger: Ledger, request: Request) -> None:
    with suppress(NoSpaceError):
        ledger.claims.reserve(request)


def _planning(folder: Path) -> Iterator[Row]:
    chance = random.Random(2)
    with Ledger(folder) as ledger:
        memory = MemoryShelf(Room(row.id, row.type, row.free, row.claims) for row in ledger.pools.all())
    file = File(folder / "ledger.db")
    with file.read() as sql:
        shelves: dict[str, Shelf] = {"index of the ledger": SqlShelf(sql), "sorted list": memory}
        for name, shelf in shelves.items():

            def plan(shelf: Shelf = shelf) -> float:
                sizes = [chance.randint(1, 2 * TIB) for _ in range(CALLS)]
                return _median(partial(choose, shelf, Demand(type=DiskType.SSD, room=size)) for size in sizes)

            yield within(
                f"0-OS planning alone, {POOLS:,} pools, best fit, {name}", plan, limit=100.0, unit="us"
            )
    file.close()


def _median(calls: Iterator[Callable[[], object]]) -> float:
    """Return the seconds that one of the calls takes."""
    return statistics.median(timeit.timeit(call, number=1) for call in calls)


def _bar(name: str, measured: float, limit: float, beside: str) -> Row:
    return Row(
        name=name,
        limit_name=beside,
        unit="MiB",
        measured=measured,
        limit=limit,
        ratio=measured / limit,
        bar=1.25,
    )
