"""What durable commands cost against the disk: event, record and answer in one commit."""

from __future__ import annotations

import json
import tempfile
import threading
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks._disk import append_and_sync
from benchmarks._measure import Row, against
from statehold.hosting import Host
from statehold.images import build_image
from statehold.processing import SYSTEM, CommandAnswer, Request, Runtime

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
    run = (
        partial(_one, runtime, request, each)
        if clients == 1
        else partial(_many, runtime, request, clients, each)
    )
    return against(
        f"durable commands per second, {clients} client{'s' * (clients > 1)}",
        lambda: run() / (clients * each),
        lambda: append_and_sync(folder / "floor", times=COMMANDS),
        limit_name="block at the end of a log and fdatasync",
        bar=bar,
        unit="us",
        sense=">=",
        rate=True,
    )


def _one(runtime: Runtime, request: Request, each: int) -> float:
    """Return the seconds of so many commands, one after the other."""
    start = timeit.default_timer()
    for turn in range(each):
        runtime.command(request, "bench.Sell", {"Article": "article", "Amount": turn})
    return timeit.default_timer() - start


def _many(runtime: Runtime, request: Request, clients: int, each: int) -> float:
    """Return the seconds in which each client runs so many commands, the next when one is answered.

    They ask as the HTTP server does for its connections: nobody has a thread of its own.
    """
    left = [each] * clients
    done = threading.Semaphore(0)

    def ask(client: int) -> None:
        left[client] -= 1
        args = {"Article": f"article {client}", "Amount": left[client]}
        runtime.submit(request, "bench.Sell", args, then=partial(answered, client))

    def answered(client: int, answer: CommandAnswer | Exception) -> None:
        assert not isinstance(answer, Exception), answer
        if left[client]:
            ask(client)
        else:
            done.release()

    start = timeit.default_timer()
    for client in range(clients):
        ask(client)
    for _ in range(clients):
        done.acquire()
    return timeit.default_timer() - start
