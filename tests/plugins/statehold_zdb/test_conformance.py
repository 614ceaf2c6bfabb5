from __future__ import annotations

from statehold.sdk import DataType, Field
from statehold.testing import StorageConformance
from statehold_zdb.storage import provider

# All but objects, which no declaration can write.
EVERY_TYPE = [Field(f"The_{kind}", kind) for kind in DataType if kind is not DataType.OBJECT]


class TestZdb(StorageConformance):
    """Files, with fields as people declare them."""

    provider = provider
    key = [Field("Device", "text", required=True), Field("Point", "int32", required=True)]
    value = [
        Field("Reading", "float64"),
        Field("At", "int64", required=True),
        Field("Tags", "text", repeated=True),
    ]
    config = {"Durability": "relaxed"}
    durable = True
    examples = 15
    steps = 15


class TestZdbOfEveryType(StorageConformance):
    """Every type that a field can have, in KEY and in VALUE, and NULL in both."""

    provider = provider
    key = EVERY_TYPE
    value = EVERY_TYPE
    config = {"Durability": "relaxed"}
    durable = True
    examples = 8
    steps = 10
