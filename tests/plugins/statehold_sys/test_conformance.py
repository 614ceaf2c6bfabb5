from __future__ import annotations

import logging

from statehold.sdk import DataType, Field
from statehold.testing import StorageConformance
from statehold_sys import app_secret, ephemeral, logger

EVERY_TYPE = [Field(f"The_{kind}", kind) for kind in DataType]


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


class Written(logging.Handler):
    """Keeps what a logger was given last for each workspace."""

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[tuple[int, int], str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.last[record.statehold_workspace, record.levelno] = record.getMessage()


class TestLogger(StorageConformance):
    """What is logged is looked up in the log."""

    provider = logger.provider
    rows = [
        ({"LogLevel": 1}, {"Message": "an error"}),
        ({"LogLevel": 5}, {"Message": "a trace"}),
    ]
    refused = [({"LogLevel": 6}, {"Message": "?"}), ({"LogLevel": -1}, {"Message": "?"})]
    missing = {"LogLevel": 4}
    any_row = False
