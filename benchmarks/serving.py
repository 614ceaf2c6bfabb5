"""What a query through HTTP costs, held against an ASGI app that does nothing, on the same server.

Both answer the same bytes to the same request. Each has a process of its own, and the load comes from a third
one: `wrk` where it is installed, else a client of this page.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks._measure import Row, against

CONNECTIONS = 32
SECONDS = 1
ROUNDS = 7
VSQL = """
APPLICATION shop();
ALTER WORKSPACE sys.AppWorkspaceWS (
  TABLE Dish INHERITS sys.CDoc (Name varchar NOT NULL, Price money NOT NULL);
  TYPE DishParams (Dish ref(Dish) NOT NULL);
  TYPE DishResult (Name varchar NOT NULL, Price money NOT NULL);
  EXTENSION ENGINE PYTHON (
    QUERY Plain(DishParams) RETURNS DishResult;
    QUERY Priced(DishParams) STATE(sys.Record(Dish)) RETURNS DishResult;
  );
);
"""
CODE = """
from statehold.sdk import extension

@extension
def plain(call):
    return {"Name": "soup", "Price": 35000}

@extension
def priced(call):
    dish = call.Record.Dish.must_get(ID=call.arg.Dish)
    return {"Name": dish.Name, "Price": dish.Price}
"""
ANSWER = b'{"results":[{"Name":"soup","Price":35000}]}'


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="build")))
        served, bare = (stack.enter_context(_served(what, folder)) for what in ("statehold", "bare"))
        yield _queries(folder, served, bare, query="Plain", what="nothing", bar=0.7)
        yield _queries(folder, served, bare, query="Priced", what="a record in SQLite", bar=0.4)


def _queries(folder: Path, served: str, bare: str, *, query: str, what: str, bar: float) -> Row:
    token, dish = ((folder / name).read_text() for name in ("token", "dish"))
    args = urllib.parse.quote(json.dumps({"Dish": int(dish)}))
    path = f"/api/v2/apps/acme/shop/workspaces/1/queries/shop.{query}?args={args}"
    for url in (served, bare):
        assert _get(url + path, token) == ANSWER
    return against(
        f"queries per second through HTTP that read {what}",
        lambda: _seconds_per_request(served + path, token),
        lambda: _seconds_per_request(bare + path, token),
        limit_name="a bare ASGI app, same answer",
        bar=bar,
        unit="us",
        sense=">=",
        rounds=ROUNDS,
        rate=True,
    )


def _seconds_per_request(url: str, token: str) -> float:
    wrk = shutil.which("wrk")
    if wrk:
        command = [
            wrk,
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{SECONDS}",
            "-H",
            f"Authorization: Bearer {token}",
            url,
        ]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "Non-2xx" not in text, text
        found = re.search(r"Requests/sec:\s+([\d.]+)", text)
        assert found, text
        return 1 / float(found[1])
    command = [sys.executable, "-m", "benchmarks.serving", "load", url, token]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _get(url: str, token: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: bytes = answer.read()
        return found


@contextlib.contextmanager
def _served(what: str, folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.serving", what, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def _serve_bare() -> None:
    from starlette.types import Receive, Scope, Send

    from statehold.serving import Limits
    from statehold.serving._http import HttpServer

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": ANSWER})

    server = HttpServer(app, address="127.0.0.1", port=0, limits=Limits())
    server.run(started=lambda: print(server.url, flush=True))


def _serve_statehold(folder: Path) -> None:
    from statehold.hosting import Host
    from statehold.images import build_image
    from statehold.processing import SYSTEM, Request, Runtime
    from statehold.serving import Counting, Server, Tokens

    package = folder / "acme.shop/image/pkg/example.com/shop"
    (package / "extensions").mkdir(parents=True)
    (package / "shop.vsql").write_text(VSQL)
    (package / "extensions/queries.py").write_text(CODE)
    (folder / "acme.shop/descriptor.json").write_text(json.dumps({"Version": "1", "NumAppWorkspaces": 1}))
    tokens = Tokens(os.urandom(32))
    counting = Counting()
    with Host(folder / "data", environ={}) as host:
        host.deploy(build_image(folder / "acme.shop", folder / "shop.shi"))
        with Runtime(host, meter=counting) as runtime:
            request = Request(app="acme.shop", workspace=1, principal=SYSTEM)
            made = runtime.create(request, "shop.Dish", {"sys.ID": 1, "Name": "soup", "Price": 35000})
            (folder / "dish").write_text(str(made.new_ids[1]))
            (folder / "token").write_text(tokens.issue(SYSTEM, app="acme.shop", lifetime=36_000))
            server = Server(host, runtime, tokens=tokens, data_folder=folder, meter=counting)
            server.run(started=lambda: print(server.url, flush=True))


class _Client(asyncio.Protocol):
    """Asks one thing after the other on one connection, and counts the answers."""

    count = 0

    def __init__(self, request: bytes) -> None:
        self._request = request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        # The answers are short: each comes in one piece, or its end does.
        if data.endswith(ANSWER):
            _Client.count += 1
            self._transport.write(self._request)


async def _load(url: str, token: str) -> float:
    parts = urllib.parse.urlsplit(url)
    head = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    assert parts.hostname
    assert parts.port
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: _Client(head.encode()), parts.hostname, parts.port)
    start = time.perf_counter()
    await asyncio.sleep(SECONDS)
    return (time.perf_counter() - start) / _Client.count


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bare", _]:
            _serve_bare()
        case ["statehold", where]:
            _serve_statehold(Path(where))
        case ["load", address, bearer]:
            import uvloop

            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                print(runner.run(_load(address, bearer)))
