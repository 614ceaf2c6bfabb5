"""The conformance kit, of storages that live in a sidecar: the same tests as of those that do not."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from statehold.loading.sidecar import SidecarPlugin
from statehold.sdk import CallContext, DataType, Field, Principal, Provider
from statehold.testing import StorageConformance

# All but objects, which no declaration can write.
EVERY_TYPE = [Field(f"The_{kind}", kind) for kind in DataType if kind is not DataType.OBJECT]

Installed = Callable[[str, str], SidecarPlugin]


class TestEphemeral(StorageConformance):
    """What one version holds in memory, another one that is in the same process cannot take over."""

    may_forget = True
    ordered = True
    refused = [({"Name": "a"}, {"Data": bytes(5_000_001)})]
    examples = 20

    @pytest.fixture
    def provider(self, installed: Installed) -> Provider:
        return installed("Ephemeral", "statehold_sys.ephemeral:provider").providers["Ephemeral"]


class TestTable(StorageConformance):
    key = [Field("Device", "text", required=True), Field("Point", "int32", required=True)]
    value = [Field("Reading", "float64"), Field("At", "int64", required=True), Field("Note", "text")]
    durable = True
    ordered = True
    examples = 10

    @pytest.fixture
    def provider(self, installed: Installed) -> Provider:
        return installed("Table", "statehold_dataset:provider").providers["Table"]


class TestTableOfEveryType(TestTable):
    """Every type that a field can have, in KEY and in VALUE, and NULL in both."""

    key = EVERY_TYPE
    value = EVERY_TYPE
    ordered = False
    examples = 5


class TestAppSecret(StorageConformance):
    secrets = {"Scada_Password": "hunter2", "Token": "päss wörd"}
    rows = [
        ({"Secret": "Scada_Password"}, {"Content": "hunter2"}),
        ({"Secret": "Token"}, {"Content": "päss wörd"}),
    ]
    missing = {"Secret": "Another"}
    any_row = False
    shared = True

    @pytest.fixture
    def provider(self, installed: Installed) -> Provider:
        return installed("AppSecret", "statehold_sys.app_secret:provider").providers["AppSecret"]


class OfACall(StorageConformance):
    any_row = False
    shared = True


class TestCommandContext(OfACall):
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

    @pytest.fixture
    def provider(self, installed: Installed) -> Provider:
        return installed("CommandContext", "statehold_sys.command_context:provider").providers[
            "CommandContext"
        ]

    def call(self) -> CallContext:
        return msgspec.structs.replace(
            super().call(),
            workspace=7,
            argument={"A": 1},
            unlogged={"B": 2},
            offset=3,
            origin="10.0.0.1",
        )


class TestRequestSubject(OfACall):
    rows = [({}, {"ProfileWSID": 9, "Kind": 1, "Name": "ann", "Token": ""})]

    @pytest.fixture
    def provider(self, installed: Installed) -> Provider:
        return installed("RequestSubject", "statehold_sys.request_subject:provider").providers[
            "RequestSubject"
        ]

    def call(self) -> CallContext:
        principal = Principal(name="ann", kind=1, profile=9, token="secret")
        return msgspec.structs.replace(super().call(), workspace=7, principal=principal)
