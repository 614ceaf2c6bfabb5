from __future__ import annotations

from contextlib import ExitStack

import attrs

from statehold.cli.demo._client import Client
from statehold.cli.demo._deploying import DATA
from statehold.cli.demo._teller import Teller
from statehold.hosting import Host
from statehold.processing import Runtime
from statehold.serving import Server, Tokens

APP = "acme.bills"
_WORKSPACE = 65537


@attrs.frozen(kw_only=True, eq=False)
class Restaurant:
    """The application at work: its host, runtime and server, and who works in its restaurant.

    Attributes:
        here: the path of the restaurant's workspace, below that of the app.
        ada: a waiter.
        max: the manager.
        stop: ends server and runtime.

    """

    host: Host
    runtime: Runtime
    server: Server
    here: str
    ada: Client
    max: Client
    stop: ExitStack


def serve(teller: Teller, stack: ExitStack, host: Host) -> Restaurant:
    """Make a workspace, and serve it until it is stopped or *stack* ends."""
    teller.step(
        "Commands, over HTTP",
        """What belongs to one customer is in a workspace. This one is a restaurant: Ada is a waiter there,
        Max manages it. A token says who somebody is and in which role.""",
    )
    made = f"is workspace {_WORKSPACE}"
    teller.run("statehold workspace make acme.bills bills.RestaurantWS 'Da Ada'", says=made)
    serving = stack.enter_context(ExitStack())
    runtime = serving.enter_context(Runtime(host))
    server = serving.enter_context(Server(host, runtime, tokens=Tokens.open(DATA), data_folder=DATA))
    teller.show("statehold serve --port 0 &")
    teller.note(f"1 app at {server.url}")
    ada, max_ = (
        serving.enter_context(_person(teller, server, name, role))
        for name, role in (("ada", "Waiter"), ("max", "Manager"))
    )
    return Restaurant(
        host=host,
        runtime=runtime,
        server=server,
        here=f"workspaces/{_WORKSPACE}",
        ada=ada,
        max=max_,
        stop=serving,
    )


def _person(teller: Teller, server: Server, name: str, role: str) -> Client:
    """Give somebody a token."""
    token = teller.run(f"statehold token {APP} --name {name} --role bills.{role}@{_WORKSPACE}", brief=True)
    return Client(name, url=server.url, app=APP, token=token.strip())
