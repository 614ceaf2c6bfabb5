from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from federation import Elsewhere
from servers import http_server, reply

from statehold.events import Event
from statehold.sdk import CallContext, DataType, Field, Key, Principal, Value
from statehold.testing import OpenStorage, StorageConformance
from statehold_sys import (
    app_secret,
    command_context,
    ephemeral,
    event,
    federation_blob,
    federation_command,
    job_context,
    logger,
    query_context,
    record,
    request_subject,
    response,
    result,
    uniq,
    view,
    wlog,
)

BILLS = Path(__file__).with_name("bills.vsql").read_text(encoding="utf-8")

# All but objects, which no declaration can write.
EVERY_TYPE = [Field(f"The_{kind}", kind) for kind in DataType if kind is not DataType.OBJECT]


class TestEphemeral(StorageConformance):
    """The schema that a declaration by bare name gets."""

    provider = ephemeral.provider
    isolations = ("inprocess", "sidecar")
    may_forget = True
    hands_over = True
    ordered = True
    refused = [({"Name": "a"}, {"Data": bytes(5_000_001)})]


class TestEphemeralOfEveryType(StorageConformance):
    """Every type that a field can have, in KEY and in VALUE."""

    provider = ephemeral.provider
    isolations = ("inprocess", "sidecar")
    key = EVERY_TYPE
    value = EVERY_TYPE
    may_forget = True
    hands_over = True
    examples = 20


class TestAppSecret(StorageConformance):
    """Secrets that the package declares."""

    provider = app_secret.provider
    isolations = ("inprocess", "sidecar")
    secrets = {"Scada_Password": "hunter2", "Token": "päss wörd"}
    rows = [
        ({"Secret": "Scada_Password"}, {"Content": "hunter2"}),
        ({"Secret": "Token"}, {"Content": "päss wörd"}),
    ]
    missing = {"Secret": "Another"}
    any_row = False
    shared = True


class TestLogger(StorageConformance):
    """What was logged cannot be looked up: that it arrives is tested in test_logger.py."""

    provider = logger.provider
    isolations = ("inprocess", "sidecar")
    rows = [
        ({"LogLevel": 1}, {"Message": "an error"}),
        ({"LogLevel": 5}, {"Message": "a trace"}),
    ]
    refused = [({"LogLevel": 6}, {"Message": "?"}), ({"LogLevel": -1}, {"Message": "?"})]
    missing = {"LogLevel": 4}
    any_row = False


class TestView(StorageConformance):
    """Keys of a partition key and clustering columns, values of every type."""

    provider = view.provider
    declarations = BILLS
    entity = "test.Turnover"
    read_by = 2
    durable = True
    ordered = True
    examples = 20


class TestRecord(StorageConformance):
    """Records by id: the first record of a workspace has 200001, the next one 200002."""

    provider = record.provider
    declarations = BILLS
    entity = "test.Customer"
    rows = [({"ID": 200_001 + number}, {"Name": f"Customer {number}"}) for number in range(8)]
    refused = [({"ID": 200_001}, {"Name": "x", "sys.ID": 70_000})]
    missing = {"ID": 300_000}
    any_row = False
    durable = True

    def stored(self, key: Key, value: Value) -> Value:
        return msgspec.structs.replace(value, sys_QName="test.Customer", sys_ID=key["ID"], sys_IsActive=True)


class TestUniq(StorageConformance):
    """The ids of bills by their number, or by table and guest."""

    provider = uniq.provider
    declarations = BILLS
    entity = "test.Bill"
    rows = [
        ({"Number": 0}, {"ID": 200_001}),
        ({"Number": 1}, {"ID": 200_002}),
        ({"Table": 1, "Guest": "Ann"}, {"ID": 200_002}),
    ]
    missing = {"Number": 99}
    any_row = False

    def prepare(self, opened: OpenStorage, workspace: int, rows: Sequence[Any]) -> None:
        memory = opened.memory
        assert memory is not None
        with memory.writing() as unit:
            for number, guest in enumerate(("Bob", "Ann")):
                bill = memory.schemas["test.Bill"].rows.value(Number=number, Table=1, Guest=guest)
                unit.insert(workspace, bill)
            memory.append(unit, "test.Pay", workspace)


class TestWLog(StorageConformance):
    """Events of a workspace; the first is that which made the workspace."""

    provider = wlog.provider
    declarations = BILLS
    rows = [
        ({"Offset": 1, "Count": 1}, {"Offset": 1, "QName": "sys.CreateWorkspace"}),
        ({"Offset": 2, "Count": 1}, {"Offset": 2, "QName": "test.Pay", "Synced": False}),
        ({"Offset": 3, "Count": 1}, {"Offset": 3, "QName": "test.Pay", "SyncedAt": 0}),
    ]
    missing = {"Offset": 9}
    any_row = False
    whole_keys = True

    def prepare(self, opened: OpenStorage, workspace: int, rows: Sequence[Any]) -> None:
        memory = opened.memory
        assert memory is not None
        for _ in range(2):
            with memory.writing() as unit:
                memory.append(unit, "test.Pay", workspace)


class OfACall(StorageConformance):
    """What the call itself has, the same in every workspace."""

    any_row = False
    shared = True
    given_to_it: Mapping[str, Any] = {}

    def call(self) -> CallContext:
        return msgspec.structs.replace(super().call(), workspace=7, time=12.5, **self.given_to_it)


class TestCommandContext(OfACall):
    provider = command_context.provider
    isolations = ("inprocess", "sidecar")
    given_to_it = {"argument": {"A": 1}, "unlogged": {"B": 2}, "offset": 3, "origin": "10.0.0.1"}
    rows = [
        (
            {},
            {
                "Workspace": 7,
                "WLogOffset": 3,
                "ArgumentObject": {"A": 1},
                "ArgumentUnloggedObject": {"B": 2},
                "Origin": "10.0.0.1",
            },
        )
    ]


class TestQueryContext(OfACall):
    provider = query_context.provider
    isolations = ("inprocess", "sidecar")
    given_to_it = {"argument": {"A": 1}}
    rows = [({}, {"Workspace": 7, "ArgumentObject": {"A": 1}})]


class TestJobContext(OfACall):
    provider = job_context.provider
    isolations = ("inprocess", "sidecar")
    rows = [({}, {"Workspace": 7, "UnixTime": 12})]


class TestRequestSubject(OfACall):
    provider = request_subject.provider
    given_to_it = {"principal": Principal(name="ann", kind=1, profile=9, token="secret")}
    rows = [({}, {"ProfileWSID": 9, "Kind": 1, "Name": "ann", "Token": "secret"})]


class TestEvent(OfACall):
    provider = event.provider
    isolations = ("inprocess", "sidecar")
    given_to_it = {
        "event": Event(
            offset=5, wlog_offset=2, workspace=7, name="test.Pay", registered_at=1, argument={"A": 1}
        )
    }
    rows = [({}, {"WLogOffset": 2, "Workspace": 7, "Offset": 5, "QName": "test.Pay", "CUDs": ()})]


class TestResult(OfACall):
    """What was returned cannot be looked up: that it arrives is tested in test_answers.py."""

    provider = result.provider
    declarations = BILLS
    entity = "test.PaidBill"
    rows = [({}, {"Number": 1, "Total": 125_000, "Text": "thanks"})]


class TestResponse(OfACall):
    """Likewise."""

    provider = response.provider
    rows = [({}, {"StatusCode": 409, "ErrorMessage": "paid already"})]
    refused = [({}, {"StatusCode": 42}), ({}, {"StatusCode": 1000})]


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    def answer(request: Any) -> None:
        request.rfile.read(int(request.headers.get("Content-Length", 0)))
        body = b'{"currentWLogOffset": 1, "newIDs": {"1": 200001}, "result": {"Number": 1}}'
        reply(request, body if request.command == "POST" else b"a blob")

    with http_server(answer) as port:
        yield Elsewhere(port)


class OfAnotherApp(StorageConformance):
    """What a server elsewhere answers; few calls, because each is a request."""

    allowances = {"network": ["127.0.0.1"]}
    any_row = False
    shared = True
    calls = 10

    @pytest.fixture
    def host(self, elsewhere: Elsewhere) -> Elsewhere:
        return elsewhere


class TestFederationCommand(OfAnotherApp):
    provider = federation_command.provider
    rows = [
        ({"Command": "bills.Pay"}, {"StatusCode": 200, "NewIDs": {"1": 200_001}, "Result": {"Number": 1}})
    ]


class TestFederationBlob(OfAnotherApp):
    provider = federation_blob.provider
    whole_keys = True
    rows = [
        (
            {"OwnerID": 200_001, "OwnerRecord": "bills.Bill", "OwnerRecordField": "Scan"},
            {"Body": b"a blob"},
        )
    ]
