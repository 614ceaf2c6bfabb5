"""What 0-db over its sockets costs against redis-server with an append-only file synced every second.

Over TCP also beside the original. It does not run here: its figures are of another machine, on which
redis-server was measured as well, so each is taken times what redis-server does here to what it did there.
That says nothing of SETs of 512 KiB, which wait for the disk (the original syncs nothing, redis-server does),
nor of GETs of 4 KiB by one client without a pipeline, for which there were two figures there, by whether both
sides shared a processor: these are not compared. With one client and no pipeline, what counts on either
machine is how long it takes to wake a process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks._disk import beside_syncs
from benchmarks._measure import Row, against
from benchmarks._redis import programs, redis_server, zdb_server

#: Calls for each payload, those of one client without a pipeline; more clients and depth, more calls.
SIZES = {100: 6_000, 4096: 4_000, 524_288: 120}
#: How many keys are got; all that are set are different.
POOL = 50
WRITERS = 16
SHAPES = ((1, 1), (16, 1), (1, 16), (16, 16))
#: What the original does over TCP, calls a second, measured elsewhere: SET and GET, by the shapes.
ORIGINAL = {
    100: ((18_182, 82_679, 380, 6_035), (18_127, 70_485, 372, 5_915)),
    4096: ((16_949, 63_789, 379, 6_029), (49_383, 57_372, 371, 5_898)),
    524_288: ((3_507, 5_333, 313, 2_723), (1_742, 2_062, 1_893, 1_947)),
}
#: What redis-server did beside it.
ITS_REDIS = {
    100: ((18_028, 94_651, 209_497, 497_141), (20_236, 102_236, 289_296, 1_656_221)),
    4096: ((17_167, 50_928, 75_591, 86_429), (19_640, 105_033, 198_142, 651_687)),
    524_288: ((2_116, 1_190, 1_302, 965), (6_250, 4_878, 8_511, 3_471)),
}
#: Of which no comparison with another machine says anything: sizes, SET or GET, and shapes.
NOT_COMPARED = {(524_288, 0, shape) for shape in range(len(SHAPES))} | {(4096, 1, 0)}


def rows() -> Iterator[Row]:
    """Yield the rows of this page; none where redis cannot be had."""
    if not programs():
        return
    for size, some in SIZES.items():
        # Not in /tmp, which may be memory; new servers for each size, so that none has what it must give up.
        with (
            tempfile.TemporaryDirectory(dir="build") as folder,
            redis_server(Path(folder) / "redis") as redis,
            zdb_server(Path(folder) / "zdb") as zdb,
        ):
            for server in (redis, zdb):  # what is then got
                server.seconds_per_call(
                    "set", unix=True, size=size, clients=4, depth=4, calls=6 * POOL, keys=POOL
                )
            for unix in (False, True):
                for shape, (clients, depth) in enumerate(SHAPES):
                    calls = some * min(clients * depth, 16) // (4 if size > 10_000 else 1)
                    for number, command in enumerate(("set", "get")):

                        def run(server: object, command: str = command) -> float:
                            seconds: float = server.seconds_per_call(  # type: ignore[attr-defined]
                                command,
                                unix=unix,  # noqa: B023 - called in this turn
                                size=size,  # noqa: B023
                                clients=clients,  # noqa: B023
                                depth=depth,  # noqa: B023
                                calls=calls,  # noqa: B023
                                keys=10**9 if command == "set" else POOL,
                            )
                            return seconds

                        row = against(
                            f"0-db {command.upper()} {size:,} B, {clients} clients, pipelines of {depth}, "
                            f"{'UNIX' if unix else 'TCP'}",
                            lambda: run(zdb),
                            lambda: run(redis),
                            limit_name="redis-server, AOF everysec",
                            bar=0.5,
                            unit="us",
                            sense=">=",
                            rounds=3,
                            rate=True,
                        )
                        yield row
                        if not unix and (size, number, shape) not in NOT_COMPARED:
                            yield _beside_the_original(
                                row, ORIGINAL[size][number][shape], ITS_REDIS[size][number][shape]
                            )
    yield _durable()


def _durable() -> Row:
    """Measure what clients write who are all answered when it survives a loss of power."""
    with (
        tempfile.TemporaryDirectory(dir="build") as folder,
        zdb_server(Path(folder) / "zdb", durability="group") as zdb,
    ):
        return beside_syncs(
            f"0-db durable SET, {WRITERS} clients, one sync for all who wait",
            lambda: zdb.seconds_per_call(
                "set", unix=False, size=100, clients=WRITERS, depth=1, calls=200 * WRITERS, keys=10**9
            ),
            Path(folder) / "floor",
            times=200,
        )


def _beside_the_original(row: Row, original: int, its_redis: int) -> Row:
    """Return what *row* says beside the original, by its calls a second and those of redis-server there."""
    limit = row.limit * its_redis / original
    return Row(
        name=f"{row.name}, beside the original",
        limit_name=f"its {original:,}/s there, where redis-server did {its_redis:,}/s",
        unit=row.unit,
        measured=row.measured,
        limit=limit,
        ratio=row.ratio * its_redis / original,
        bar=1.0,
        sense=">=",
    )
