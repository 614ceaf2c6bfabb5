from __future__ import annotations

import pytest

from statehold.sdk import DataType, Field
from statehold.testing import StorageConformance
from statehold_zstor.storage import provider

# All but objects, which no declaration can write.
EVERY_TYPE = [Field(f"The_{kind}", kind) for kind in DataType if kind is not DataType.OBJECT]


class TestZstor(StorageConformance):
    """Folders of its own, with fields as people declare them."""

    provider = provider
    config = {"DataShards": 1, "Shards": 1}
    key = [Field("Folder", "text", required=True), Field("Page", "int32", required=True)]
    value = [Field("Text", "text"), Field("At", "int64", required=True), Field("Tags", "text", repeated=True)]
    durable = True
    ordered = True
    # Each write is several syncs, and others sync as well.
    patience = 120.0
    callers = 4
    calls = 5
    examples = 2
    steps = 4


@pytest.mark.soak
class TestZstorOfEveryType(StorageConformance):
    """Every type that a field can have, in KEY and in VALUE, and NULL in both."""

    provider = provider
    key = EVERY_TYPE
    value = EVERY_TYPE
    config = {"Compression": "none", "DataShards": 1, "Shards": 1}
    durable = True
    ordered = True
    examples = 8
    steps = 10


@pytest.mark.soak
class TestZstorElsewhere(TestZstor):
    """The folders that it has by itself, in processes of its own too."""

    config = None
    isolations = ("inprocess", "sidecar")
