from __future__ import annotations

from statehold.sdk import DataType, Field
from statehold.testing import StorageConformance
from statehold_dataset import provider

# All but objects, which no declaration can write.
EVERY_TYPE = [Field(f"The_{kind}", kind) for kind in DataType if kind is not DataType.OBJECT]


class TestTable(StorageConformance):
    """A table of a declaration as people write it."""

    provider = provider
    isolations = ("inprocess", "sidecar")
    key = [Field("Device", "text", required=True), Field("Point", "int32", required=True)]
    value = [Field("Reading", "float64"), Field("At", "int64", required=True), Field("Note", "text")]
    durable = True
    ordered = True
    examples = 20


class TestTableOfEveryType(StorageConformance):
    """Every type that a field can have, in KEY and in VALUE, and NULL in both."""

    provider = provider
    isolations = ("inprocess", "sidecar")
    key = EVERY_TYPE
    value = EVERY_TYPE
    durable = True
    examples = 10
