from __future__ import annotations

from statehold.sdk import DataType, Field
from statehold.testing import StorageConformance
from statehold_qsfs.storage import provider

# All but objects, which no declaration can write.
EVERY_TYPE = [Field(f"The_{kind}", kind) for kind in DataType if kind is not DataType.OBJECT]


class TestQsfs(StorageConformance):
    """Files, with fields as people declare them."""

    provider = provider
    key = [Field("Device", "text", required=True), Field("Point", "int32", required=True)]
    value = [
        Field("Reading", "float64"),
        Field("At", "int64", required=True),
        Field("Tags", "text", repeated=True),
    ]
    durable = True
    examples = 6
    steps = 8


class TestQsfsOfEveryType(StorageConformance):
    """Every type that a field can have, in KEY and in VALUE, and NULL in both."""

    provider = provider
    key = EVERY_TYPE
    value = EVERY_TYPE
    durable = True
    examples = 4
    steps = 6
