"""What 0-db over its sockets costs against redis-server with an append-only file synced every second."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks._measure import Row, against
from benchmarks._redis import programs, redis_server, zdb_server

#: Calls for each payload, those of one client without a pipeline; more clients and depth, more calls.
SIZES = {100: 6_000, 4096: 4_000, 524_288: 120}
#: How many keys are got; all that are set are different.
POOL = 50
SHAPES = ((1, 1), (16, 1), (1, 16), (16, 16))
#: What the original does over TCP, calls a second, measured elsewhere: SET and GET, by the shapes.
ORIGINAL = {
    100: ((18_182, 82_679, 380, 6_035), (18_127, 70_485, 372, 5_915)),
    4096: ((16_949, 63_789, 379, 6_029), (49_383, 57_372, 371, 5_898)),
    524_288: ((3_507, 5_333, 313, 2_723), (1_742, 2_062, 1_893, 1_947)),
}


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
                        original = "" if unix else f"; the original {ORIGINAL[size][number][shape]:,}/s"

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

                        yield against(
                            f"0-db {command.upper()} {size:,} B, {clients} clients, pipelines of {depth}, "
                            f"{'UNIX' if unix else 'TCP'}",
                            lambda: run(zdb),
                            lambda: run(redis),
                            limit_name=f"redis-server, AOF everysec{original}",
                            bar=0.5,
                            unit="us",
                            sense=">=",
                            rounds=3,
                            rate=True,
                        )
