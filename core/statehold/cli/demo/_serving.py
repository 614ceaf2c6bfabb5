from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import attrs

from statehold.cli.demo._client import Client
from statehold.cli.demo._teller import Teller
from statehold.hosting import Host
from statehold.processing import Runtime
from statehold.serving import Server, Tokens

APP = "acme.bills"


@attrs.frozen(kw_only=True, eq=False)
class Restaurant:
    """The application at work: its host, runtime and server, and the workspace of a restaurant."""

    host: Host
    runtime: Runtime
    server: Server
    workspace: int

    @property
    def here(self) -> str:
        """The path of the workspace, below that of the app."""
        return f"workspaces/{self.workspace}"


def serve(teller: Teller, stack: ExitStack, bank: str) -> Restaurant:
    """Deploy version 1, serve it until *stack* ends, and make a workspace."""
    teller.step(
        "Deploy and serve",
        """The kitchen's devices want a password, and the bank's address has a key in it. Secrets are never in
        an image: the operator gives them, and a deploy without them is refused, with nothing changed.""",
    )
    teller.run("statehold deploy acme.bills-1.shi", code=1, says="Scada_Password")
    secrets = Path(".statehold/secrets")
    secrets.mkdir(parents=True, exist_ok=True)
    for name, value in (("Scada_Password", "let me in"), ("Rates_URL", bank)):
        teller.show(f"echo '{value}' > {secrets}/bills.{name}")
        (secrets / f"bills.{name}").write_text(f"{value}\n", encoding="utf-8")
    host = teller.host = stack.enter_context(Host(Path(".statehold"), secrets_folder=secrets, apps=()))
    teller.run("statehold deploy acme.bills-1.shi", says="acme.bills 1 is current")
    runtime = stack.enter_context(Runtime(host))
    data = Path(".statehold")
    server = stack.enter_context(Server(host, runtime, tokens=Tokens.open(data), data_folder=data))
    teller.show("statehold serve --port 0")
    teller.note(f"1 app at {server.url}")
    workspace = {"kind": "bills.RestaurantWS", "name": "Da Ada"}
    with person(teller, server, "operator", "sys.System") as operator:
        made = teller.ask(operator, "POST", "workspaces", workspace, status=201)
    return Restaurant(host=host, runtime=runtime, server=server, workspace=made["workspace"])


def person(teller: Teller, server: Server, name: str, role: str) -> Client:
    """Give somebody a token."""
    token = teller.run(f"statehold token {APP} --name {name} --role {role}", brief=True)
    return Client(name, url=server.url, app=APP, token=token.strip())
