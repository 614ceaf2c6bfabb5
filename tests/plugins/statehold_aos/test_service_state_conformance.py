from __future__ import annotations

import hashlib

import msgspec

from statehold.testing import StorageConformance
from statehold_aos import service_state


class TestServiceState(StorageConformance):
    """On its own: no other storage is there, and no way to the cloud."""

    provider = service_state
    config = {"Database": "aos.db"}
    durable = True
    ordered = True
    any_row = False
    rows = [
        ({"Service": "navigation", "Users": '["ann","bob"]'}, {"State": b"here", "StateLimit": 100}),
        ({"Service": "navigation", "Users": '["ann"]'}, {"State": bytes(range(256))}),
        ({"Service": "radio", "Users": '["ann"]'}, {"State": b""}),
        ({"Service": "../../etc", "Users": "../passwd"}, {"State": "é́\0".encode()}),
        ({"Service": "Radio", "Users": "\0/é́ "}, {"State": bytes(65_536)}),
        ({"Service": "service " + 4000 * "x", "Users": 4000 * "y"}, {"State": b"x"}),
    ]
    missing = {"Service": "none", "Users": "nobody"}
    refused = [
        ({"Service": "", "Users": "ann"}, {"State": b"x"}),
        ({"Service": "radio", "Users": ""}, {"State": b"x"}),
        ({"Service": "radio", "Users": "ann"}, {"StateLimit": -1}),
        ({"Service": "radio", "Users": "ann"}, {"State": bytes(65_537)}),
        ({"Service": "radio", "Users": "ann"}, {"State": b"12345", "StateLimit": 4}),
    ]

    def stored(self, key, value):
        checksum = hashlib.sha3_224(value.State).hexdigest()
        return msgspec.structs.replace(
            value,
            StateLimit=65_536 if value.StateLimit is None else value.StateLimit,
            Checksum=checksum,
            Pending=checksum,
            Status="pending",
        )
