"""What durable commands cost against the disk: event, record and answer in one commit."""

from __future__ import annotations

import json
import tempfile
import threading
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._disk import append_and_sync
from benchmarks._measure import Row, against
from statehold.hosting import Host
from statehold.images import build_image
from statehold.processing import SYSTEM, Request, Runtime

COMMANDS = 320

VSQL = """
APPLICATION bench();
ALTER WORKSPACE sys.AppWorkspaceWS (
  TABLE Sale INHERITS sys.WDoc (Article text NOT NULL, Amount int64 NOT NULL);
  TYPE SellParams (Article text NOT NULL, Amount int64 NOT NULL);
  EXTENSION ENGINE PYTHON (
    COMMAND Sell(SellParams) INTENTS(sys.Record(Sale));
  );
);
"""
CODE = """
from statehold.sdk import extension


@extension
def sell(call):
    call.Record.Sale.insert(sys_ID=1, Article=call.arg.Article, Amount=call.arg.Amount)
"""


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    # Not in /tmp, which may be memory: the figures are about the disk.
    with tempfile.TemporaryDirectory(dir="build") as folder, running(Path(folder)) as runtime:
        yield _commands(runtime, Path(folder), clients=1, bar=0.5)
        yield _commands(runtime, Path(folder), clients=32, bar=5.0)


@contextmanager
def running(folder: Path) -> Iterator[Runtime]:
    """Run an app with one command in one partition, on SQLite."""
    root = folder / "acme.bench"
    package = root / "image/pkg/example.com/bench"
    (package / "extensions").mkdir(parents=True)
    (package / "bench.vsql").write_text(VSQL)
    (package / "extensions/bench.py").write_text(CODE)
    descriptor = {"Version": "1", "NumParts": 1, "NumAppWorkspaces": 1, "EnginePoolSize": [10, 10, 10, 1]}
    (root / "descriptor.json").write_text(json.dumps(descriptor))
    with Host(folder / "data", environ={}) as host:
        host.deploy(build_image(root))
        with Runtime(host) as runtime:
            yield runtime


def _commands(runtime: Runtime, folder: Path, *, clients: int, bar: float) -> Row:
    request = Request(app="acme.bench", workspace=1, principal=SYSTEM)
    each = COMMANDS if clients == 1 else COMMANDS * 4 // clients
    total = clients * each

    def commands() -> float:
        """Return the seconds per command of so many threads, each with one command after the other."""
        begin = threading.Barrier(clients + 1)

        def client(number: int) -> None:
            begin.wait()
            for turn in range(each):
                runtime.command(request, "bench.Sell", {"Article": f"article {number}", "Amount": turn})

        threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        begin.wait()
        start = timeit.default_timer()
        for thread in threads:
            thread.join()
        return (timeit.default_timer() - start) / total

    return against(
        f"durable commands per second, {clients} client{'s' * (clients > 1)}",
        commands,
        lambda: append_and_sync(folder / "floor", times=COMMANDS),
        limit_name="block at the end of a log and fdatasync",
        bar=bar,
        unit="us",
        sense=">=",
        rate=True,
    )
