from __future__ import annotations

import msgspec

from statehold.testing import StorageConformance
from statehold_aos._service_storage._names import folder_name
from statehold_aos.service_storage import provider

MIB = 2**20


class TestServiceStorage(StorageConformance):
    """On the embedded default: any file system, and no root."""

    provider = provider
    config = {"Backend": "accounting"}
    durable = True
    any_row = False
    rows = [
        ({"Service": "radio", "Users": ""}, {"StorageLimit": 4 * MIB}),
        ({"Service": "navigation", "Users": '["ann","bob"]'}, {}),
        ({"Service": "navigation", "Users": '["ann"]'}, {"Mode": 0o750}),
        ({"Service": "../../etc", "Users": "../passwd"}, {}),
        ({"Service": "Radio", "Users": "\0/é́ "}, {}),
        ({"Service": "service " + 4000 * "x", "Users": 4000 * "y"}, {}),
    ]
    missing = {"Service": "none", "Users": "nobody"}
    refused = [
        ({"Service": "", "Users": "ann"}, {}),
        ({"Service": "radio", "Users": "ann"}, {"StorageLimit": 1}),
        ({"Service": "radio", "Users": ""}, {"StorageLimit": -1}),
        ({"Service": "radio", "Users": "ann"}, {"Mode": 0o4755}),
        ({"Service": "radio", "Users": "ann"}, {"Uid": -1}),
    ]

    def stored(self, key, value):
        names = [str(key.WSID), folder_name(key.Service), *([folder_name(key.Users)] if key.Users else [])]
        return msgspec.structs.replace(
            value,
            Folder="/".join(names),
            Used=0,
            Limit=value.StorageLimit or 16 * MIB,
            Quota="accounting (advisory: nothing is refused)",
            Status="ready",
        )
