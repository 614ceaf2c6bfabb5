"""Two hosts, each with an app of its own, over HTTP as it is served: a shop and the stock it orders from."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from statehold.hosting import Host
from statehold.images import build_image
from statehold.processing import SYSTEM, Runtime
from statehold.serving import Federation, Server, Tokens

KEY = b"k" * 32

STOCK = """
APPLICATION stock();
ALTER WORKSPACE sys.AppWorkspaceWS (USE WORKSPACE StoreWS;);
WORKSPACE StoreWS (
  DESCRIPTOR Store ();
  TABLE Article INHERITS sys.CDoc (Name varchar NOT NULL, Photo blob);
  TYPE Ordered (Name varchar NOT NULL);
  TYPE Receipt (Offset int64, By text, Parts ReceiptPart);
  TYPE ReceiptPart (Name varchar NOT NULL);
  EXTENSION ENGINE PYTHON (
    COMMAND Order(Ordered)
      STATE(sys.RequestSubject) INTENTS(sys.Record(Article), sys.Response) RETURNS Receipt;
  );
);
"""

STOCK_CODE = """
from statehold.sdk import extension


@extension
def order(call):
    if call.arg.Name == "gone":
        return call.respond(409, "sold out")
    call.Record.Article.insert(sys_ID=1, Name=call.arg.Name)
    return {"Offset": call.offset, "By": call.RequestSubject.get().Name, "Parts": [{"Name": call.arg.Name}]}
"""

SHOP = """
APPLICATION shop();
ALTER WORKSPACE sys.AppWorkspaceWS (USE WORKSPACE ShopWS;);
WORKSPACE ShopWS (
  DESCRIPTOR Shop ();
  TYPE Ordering (WSID int64 NOT NULL, Name varchar NOT NULL, Token varchar(2000), Codes varchar);
  TYPE Ordered (Status int32, ID int64, Offset int64, By varchar, Part varchar, Message varchar);
  TYPE Wanted (WSID int64 NOT NULL, Article int64 NOT NULL);
  TYPE Photo (Piece bytes(65535));
  EXTENSION ENGINE PYTHON (
    QUERY Reorder(Ordering) STATE(sys.FederationCommand) RETURNS Ordered;
    QUERY Look(Wanted) STATE(sys.FederationBlob) RETURNS Photo;
  );
);
"""

SHOP_CODE = """
import json

from statehold.sdk import extension


@extension
def reorder(call):
    answer = call.FederationCommand.get(
        WSID=call.arg.WSID,
        Owner="acme",
        AppName="stock",
        Command="stock.Order",
        Body=json.dumps({"args": {"Name": call.arg.Name}}),
        Token=call.arg.Token,
        ExpectedCodes=call.arg.Codes,
    )
    result = answer.Result
    if answer.StatusCode != 200:
        return {"Status": answer.StatusCode, "Message": result["message"]}
    return {
        "Status": 200,
        "ID": answer.NewIDs["1"],
        "Offset": result["Offset"],
        "By": result["By"],
        "Part": result["Parts"][0]["Name"],
    }


@extension
def look(call):
    photo = call.FederationBlob.read(
        WSID=call.arg.WSID,
        OwnerID=call.arg.Article,
        OwnerRecord="stock.Article",
        OwnerRecordField="Photo",
        Owner="acme",
        AppName="stock",
    )
    for _, piece in photo:
        yield {"Piece": piece.Body}
"""


class Served:
    """A host with one app and one workspace of it, served on a port of this machine."""

    def __init__(
        self, stack: ExitStack, folder: Path, app: str, files: dict[str, str], kind: str, **options: Any
    ) -> None:
        self.app = app
        self.tokens = Tokens(options.pop("key", KEY))
        self.host = Host(folder / "data", environ={})
        stack.callback(self.host.close)
        root = folder / f"acme.{app}"
        package = root / "image/pkg/example.com" / app
        (package / "extensions").mkdir(parents=True)
        (package / f"{app}.vsql").write_text(files["vsql"])
        (package / "extensions/code.py").write_text(files["code"])
        # Addresses of this machine are for the operator to allow.
        allow = {"allow": {"network": ["127.0.0.1"]}}
        storages = {f"sys.{name}": allow for name in ("FederationCommand", "FederationBlob")}
        descriptor = {"Version": "1", "NumParts": 1, "NumAppWorkspaces": 1, "Storages": storages}
        (root / "descriptor.json").write_text(json.dumps(descriptor))
        self.host.deploy(build_image(root, folder / f"acme.{app}-1.shi"))
        runtime = Runtime(self.host)
        stack.callback(runtime.close)
        server = Server(self.host, runtime, tokens=self.tokens, data_folder=folder)
        self.url = server.url
        federation = Federation(self.tokens, **options)
        federation.serve_at(self.url)
        self.host.federate(federation)
        stack.enter_context(server)
        token = self.tokens.issue(SYSTEM, app="*", lifetime=3600)
        headers = {"Authorization": f"Bearer {token}"}
        self.client = stack.enter_context(httpx.Client(base_url=self.url, headers=headers, timeout=60))
        made = self.client.post(
            f"/api/v2/apps/acme/{app}/workspaces", json={"kind": kind, "name": "one", "owner": 1, "data": {}}
        )
        assert made.status_code == 201, made.text
        self.workspace: int = made.json()["workspace"]

    def at(self, path: str) -> str:
        return f"/api/v2/apps/acme/{self.app}/workspaces/{self.workspace}/{path}"

    def query(self, name: str, **args: Any) -> httpx.Response:
        return self.client.get(self.at(f"queries/{name}"), params={"args": json.dumps(args)})


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ExitStack() as stack:
        files = {"vsql": STOCK, "code": STOCK_CODE}
        yield Served(stack, tmp_path_factory.mktemp("stock"), "stock", files, "stock.StoreWS")


@pytest.fixture(scope="module")
def shop(stock: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ExitStack() as stack:
        files = {"vsql": SHOP, "code": SHOP_CODE}
        others = {"acme.stock": stock.url}
        yield Served(stack, tmp_path_factory.mktemp("shop"), "shop", files, "shop.ShopWS", others=others)


def test_a_command_of_another_host_is_executed_as_the_system(shop: Served, stock: Served) -> None:
    """New ids and the result come back, nested values too; the record is there, in that workspace."""
    answer = shop.query("shop.Reorder", WSID=stock.workspace, Name="tea")
    assert answer.status_code == 200, answer.text
    (ordered,) = answer.json()["results"]
    assert (ordered["Status"], ordered["By"], ordered["Part"]) == (200, "system", "tea")
    article = stock.client.get(stock.at(f"docs/stock.Article/{ordered['ID']}")).json()
    assert article["Name"] == "tea"
    event = stock.client.post(stock.at("commands/stock.Order"), json={"args": {"Name": "next"}}).json()
    assert event["currentWLogOffset"] == ordered["Offset"] + 1


def test_what_the_other_host_says_of_a_failure_is_told_or_is_a_value(
    shop: Served, stock: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """A value where the status is expected."""
    answer = shop.query("shop.Reorder", WSID=stock.workspace, Name="gone", Codes="200,409")
    (ordered,) = answer.json()["results"]
    assert (ordered["Status"], ordered["Message"]) == (409, "sold out")
    refused = shop.query("shop.Reorder", WSID=stock.workspace, Name="gone")
    assert refused.status_code == 500
    [told] = [
        one.getMessage() for one in caplog.records if refused.json()["data"]["reference"] in one.getMessage()
    ]
    assert "expected status 200, 201, got 409: sold out" in told


def test_a_token_of_another_host_with_another_key_is_refused_there(shop: Served, stock: Served) -> None:
    """And shown to nobody."""
    stranger = Tokens(b"x" * 32).issue(SYSTEM, app="*", lifetime=3600)
    answer = shop.query("shop.Reorder", WSID=stock.workspace, Name="tea", Token=stranger, Codes="200,401")
    (ordered,) = answer.json()["results"]
    assert ordered["Status"] == 401
    assert stranger not in answer.text


@pytest.mark.parametrize("size", [0, 5, 1024, 700_001])
def test_a_blob_of_another_host_comes_whole(shop: Served, stock: Served, size: int) -> None:
    """What was put into the field over HTTP, in pieces of up to 1024 bytes."""
    made = stock.client.post(stock.at("docs/stock.Article"), json={"sys.ID": 1, "Name": "tea"}).json()
    article = made["newIDs"]["1"]
    content = bytes(n * 7 % 251 for n in range(size))
    stored = stock.client.put(stock.at(f"docs/stock.Article/{article}/blobs/Photo"), content=content)
    assert stored.status_code == 200, stored.text
    answer = shop.query("shop.Look", WSID=stock.workspace, Article=article)
    assert answer.status_code == 200, answer.text
    pieces = [base64.b64decode(row["Piece"]) for row in answer.json()["results"]]
    assert b"".join(pieces) == content
    assert all(len(piece) == 1024 for piece in pieces[:-1])
