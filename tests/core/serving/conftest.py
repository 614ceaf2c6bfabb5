from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from statehold.hosting import Host
from statehold.processing import SYSTEM, CommandAnswer, Lag, NewWorkspace, Request, Runtime
from statehold.sdk import HostError, Principal
from statehold.serving import Counting, Federation, Limits, Server, Tokens

sys.path.insert(0, str(Path(__file__).parent))

from types import SimpleNamespace

from cafe import APP, cafe

KEY = b"k" * 32


class TurnedClock:
    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@attrs.define
class Asked:
    """What a runtime was asked."""

    what: str
    request: Request
    name: str
    given: dict[str, Any]


class ScriptedRuntime:
    """A runtime that notes what it is asked, and answers what a test says."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.on_command: Callable[[Asked], Any] = lambda asked: CommandAnswer(
            offset=7, new_ids={1: 200_001}, result={"args": asked.given["args"]}
        )
        self.on_query: Callable[..., list[dict[str, Any]]] = lambda asked, sink: [
            {"args": asked.given["args"]}
        ]

    def submit(self, request, name, args=None, *, unlogged=None, then, lead=None):
        asked = self._note("command", request, name, args=args, unlogged=unlogged)

        def work() -> None:
            try:
                answer = self.on_command(asked)
            except Exception as error:
                answer = error
            then(answer)

        lead(work)

    def query(self, request, name, args=None, *, constraints=None, sink=None):
        return self.on_query(self._note("query", request, name, args=args, constraints=constraints), sink)

    def view(self, request, name, *, constraints, sink=None):
        return self.on_query(self._note("view", request, name, args=None, constraints=constraints), sink)

    def documents(self, request, table, *, constraints=None, sink=None):
        return self.on_query(
            self._note("documents", request, table, args=None, constraints=constraints), sink
        )

    def document(self, request, table, record, *, constraints=None):
        self._note("document", request, table, record=record, constraints=constraints)
        return {"sys.ID": record}

    def singleton(self, request, table, *, constraints=None):
        self._note("singleton", request, table, constraints=constraints)
        return {"sys.ID": 65_536}

    def create(self, request, table, document):
        return self.on_command(self._note("create", request, table, args=document))

    def patch(self, request, table, record, changes):
        return self.on_command(self._note("patch", request, table, record=record, args=changes))

    def deactivate(self, request, table, record):
        return self.on_command(self._note("deactivate", request, table, record=record, args=None))

    def create_workspace(self, request, kind, *, name, data=None):
        self._note("create_workspace", request, kind, name=name, data=data)
        return NewWorkspace(workspace=65_537, offset=1)

    def lags(self, app=None):
        return (Lag(app="acme.shop", partition=0, projector="shop.P", offset=3, events=2, seconds=1.5),)

    def _note(self, what, request, about, /, **given):
        asked = Asked(what, request, about, given)
        self.asked.append(asked)
        return asked


class NoHost:
    """A host without apps."""

    running = ()
    quarantine = SimpleNamespace(listed=tuple)

    def listen(self, listener):
        return lambda: None

    def apps(self):
        return ()

    def app(self, name):
        raise HostError(f"no app {name!r} is deployed here")


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def tokens(clock: TurnedClock) -> Tokens:
    return Tokens(KEY, clock=clock)


@pytest.fixture
def system(tokens: Tokens) -> dict[str, str]:
    """The headers of an operator."""
    return {"Authorization": f"Bearer {tokens.issue(SYSTEM, app='*', lifetime=3600)}"}


@pytest.fixture
def waiter(tokens: Tokens) -> dict[str, str]:
    """The headers of somebody with a role in one workspace of one app."""
    principal = Principal(name="ann", kind=1, profile=70_000, roles={1: frozenset({"shop.Waiter"})})
    return {"Authorization": f"Bearer {tokens.issue(principal, app='acme.shop', lifetime=3600)}"}


@pytest.fixture
def runtime() -> ScriptedRuntime:
    return ScriptedRuntime()


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def start(tmp_path, runtime, tokens, counting) -> Iterator[Callable[..., httpx.Client]]:
    """Return a function that starts a server with given limits, and returns a client of it."""
    opened: list[Any] = []

    def start(*, host: Any = None, of: Any = None, tracer: Any = None, **limits: Any) -> httpx.Client:
        server = Server(
            host or NoHost(),
            of or runtime,
            tokens=tokens,
            data_folder=tmp_path,
            meter=counting,
            limits=Limits(**{"drain_seconds": 5.0, **limits}),
            tracer=tracer,
        )
        server.__enter__()
        client = httpx.Client(base_url=server.url, timeout=60)
        opened.extend((server, client))
        return client

    start.stop = lambda: [one.stop() for one in opened if isinstance(one, Server)]
    yield start
    for one in reversed(opened):
        one.close() if isinstance(one, httpx.Client) else one.stop()


@pytest.fixture
def client(start) -> httpx.Client:
    return start()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """An event that is set at the end, so that nothing that waits for it hangs."""
    event = threading.Event()
    yield event
    event.set()


class Cafe:
    """A server with the app of `cafe.py`, and somebody who may do everything."""

    def __init__(
        self, folder: Path, *, time_calls: bool | None = None, limits: Limits | None = None, **image: Any
    ) -> None:
        self.folder = folder
        self.counting = Counting()
        self.tokens = Tokens(KEY)
        self.host = Host(folder / "data", environ={}, time_calls=time_calls)
        self.host.deploy(cafe(folder, **image))
        self.runtime = Runtime(self.host, meter=self.counting)
        self.server = Server(
            self.host,
            self.runtime,
            tokens=self.tokens,
            data_folder=folder,
            meter=self.counting,
            limits=limits,
        )
        self.federation = Federation(self.tokens)
        self.federation.serve_at(self.server.url)
        self.host.federate(self.federation)
        self.server.__enter__()
        self._clients: list[httpx.Client] = []
        self.system = self.client(SYSTEM, app="*")
        self.workspace = self.make_workspace()

    def client(self, principal: Principal | None = None, *, app: str = APP) -> httpx.Client:
        """Return a client of somebody, by default of nobody."""
        headers = {}
        if principal is not None:
            headers["Authorization"] = f"Bearer {self.tokens.issue(principal, app=app, lifetime=3600)}"
        self._clients.append(httpx.Client(base_url=self.server.url, headers=headers, timeout=60))
        return self._clients[-1]

    def of(self, *roles: str) -> httpx.Client:
        """Return a client of somebody with roles in the workspace."""
        return self.client(Principal(name="ann", kind=1, roles={self.workspace: frozenset(roles)}))

    def make_workspace(self) -> int:
        """Make another workspace and return its id."""
        made = self.system.post(
            "/api/v2/apps/acme/cafe/workspaces",
            json={"kind": "cafe.CafeWS", "name": "Chez Ann", "owner": 1, "data": {"City": "Paris"}},
        )
        assert made.status_code == 201, made.text
        workspace: int = made.json()["workspace"]
        return workspace

    def at(self, path: str, workspace: int | None = None) -> str:
        """Return the path of something in the workspace."""
        return f"/api/v2/apps/acme/cafe/workspaces/{workspace or self.workspace}/{path}"

    def close(self) -> None:
        """Close all of it."""
        for client in self._clients:
            client.close()
        self.server.stop()
        self.runtime.close()
        self.host.close()


@pytest.fixture(scope="module")
def make_cafe(tmp_path_factory) -> Iterator[Callable[..., Cafe]]:
    """Return a function that starts a server of the app of `cafe.py`, for all tests of a module."""
    made: list[Cafe] = []

    def make(**image: Any) -> Cafe:
        made.append(Cafe(tmp_path_factory.mktemp("cafe"), **image))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def served(make_cafe) -> Cafe:
    """A server of the app of `cafe.py`, for all tests of a module."""
    return make_cafe()
