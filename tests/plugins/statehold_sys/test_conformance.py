from __future__ import annotations

from statehold.sdk import DataType, Field
from statehold.testing import StorageConformance
from statehold_sys import app_secret, ephemeral, logger

# All but objects, which no declaration can write.
EVERY_TYPE = [Field(f"The_{kind}", kind) for kind in DataType if kind is not DataType.OBJECT]


class TestEphemeral(StorageConformance):
    """The schema that a declaration by bare name gets."""

    provider = ephemeral.provider
    may_forget = True
    hands_over = True
    ordered = True
    refused = [({"Name": "a"}, {"Data": bytes(5_000_001)})]


class TestEphemeralOfEveryType(StorageConformance):
    """Every type that a field can have, in KEY and in VALUE."""

    provider = ephemeral.provider
    key = EVERY_TYPE
    value = EVERY_TYPE
    may_forget = True
    hands_over = True
    examples = 20


class TestAppSecret(StorageConformance):
    """Secrets that the package declares."""

    provider = app_secret.provider
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
    rows = [
        ({"LogLevel": 1}, {"Message": "an error"}),
        ({"LogLevel": 5}, {"Message": "a trace"}),
    ]
    refused = [({"LogLevel": 6}, {"Message": "?"}), ({"LogLevel": -1}, {"Message": "?"})]
    missing = {"LogLevel": 4}
    any_row = False
