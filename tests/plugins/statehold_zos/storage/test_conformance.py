"""The kit, on the embedded default: a folder, and no root."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from statehold.sdk import Key, fields
from statehold.testing import OpenStorage, StorageConformance, open_storage
from statehold_zos.storage import make_providers

PROVIDERS = make_providers()
KIB = 1024


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStorage]:
    """Open a `Disk` that others stand on; what was reserved on it goes at the end, and so do its servers."""
    folder = tmp_path_factory.mktemp("node")
    with open_storage(PROVIDERS["Disk"], config={"Size": "8 GiB"}, data_folder=folder) as disk:
        yield disk
        disk.storage.node.namespaces.stop()


class _Reserved(StorageConformance):
    durable = True
    ordered = True
    any_row = False
    callers = 4
    calls = 12
    missing = {"Name": "nowhere"}

    @pytest.fixture
    def storages(self, node: OpenStorage) -> dict[str, Any]:
        return {"Disk": node.storage}

    def stored(self, key: Key, value: Any) -> Any:
        """Return the row as it is, which has what nobody can know before, after looking at the rest of it."""
        found: Any = None
        for opened, _ in reversed(self._opened.values()):
            found = found or opened.storage.get(key)
        assert (found.Type, found.Size, found.State) == (value.Type, value.Size, "ready")
        return found


class TestPool(_Reserved):
    provider = PROVIDERS["Pool"]
    rows = [
        ({"Name": "logs"}, {"Type": "ssd", "Size": 512 * KIB}),
        ({"Name": "../../etc"}, {"Type": "ssd", "Size": 1024 * KIB}),
        ({"Name": "\0/é́ "}, {"Type": "ssd", "Size": 777 * KIB}),
        ({"Name": "Logs"}, {"Type": "ssd", "Size": 600 * KIB}),
        ({"Name": 4000 * "x"}, {"Type": "ssd", "Size": 700 * KIB}),
    ]
    refused = [
        ({"Name": ""}, {"Type": "ssd", "Size": 512 * KIB}),
        ({"Name": "a"}, {"Type": "tape", "Size": 512 * KIB}),
        ({"Name": "b"}, {"Type": "ssd", "Size": 0}),
        ({"Name": "c"}, {"Type": "ssd", "Size": 2**62}),
        ({"Name": "d"}, {"Type": "ssd", "Size": 2**50}),
        ({"Name": "e"}, {"Type": "hdd", "Size": 512 * KIB}),
        ({"Name": "logs"}, {"Type": "hdd", "Size": 512 * KIB}),
    ]


class TestNamespace(_Reserved):
    provider = PROVIDERS["Namespace"]
    callers = 3
    calls = 6
    rows = [
        ({"Name": "index"}, {"Type": "ssd", "Size": 512 * KIB, "Password": "index's"}),
        ({"Name": "\0/é́ "}, {"Type": "ssd", "Size": 64 * KIB, "Mode": "seq", "Password": "é"}),
        ({"Name": "Index"}, {"Type": "ssd", "Size": 100 * KIB, "Mode": "user", "Password": 63 * "x"}),
    ]
    refused = [
        ({"Name": ""}, {"Type": "ssd", "Size": 512 * KIB, "Password": "p"}),
        ({"Name": "a"}, {"Type": "tape", "Size": 512 * KIB, "Password": "p"}),
        ({"Name": "b"}, {"Type": "ssd", "Size": -1, "Password": "p"}),
        ({"Name": "c"}, {"Type": "ssd", "Size": 512 * KIB, "Mode": "stack", "Password": "p"}),
        ({"Name": "d"}, {"Type": "ssd", "Size": 512 * KIB, "Password": ""}),
        ({"Name": "e"}, {"Type": "ssd", "Size": 512 * KIB, "Password": 64 * "x"}),
        ({"Name": "f"}, {"Type": "ssd", "Size": 512 * KIB}),
        ({"Name": "g"}, {"Type": "ssd", "Size": 2**50, "Password": "p"}),
        ({"Name": "index"}, {"Type": "ssd", "Size": 512 * KIB, "Mode": "seq", "Password": "p"}),
    ]

    def stored(self, key: Key, value: Any) -> Any:
        found = super().stored(key, value)
        assert (found.Password, found.Mode) == (None, value.Mode or "user")
        return found


class TestDisk(StorageConformance):
    provider = PROVIDERS["Disk"]
    config = {"Size": "1 MiB", "Type": "hdd"}
    durable = True
    any_row = False
    shared = True
    missing = {"Name": "/dev/none"}

    @pytest.fixture
    def rows(self, tmp_path: Path) -> list[tuple[dict[str, object], dict[str, object]]]:
        """Return the disk that there is in the kit's folder, as it is once it was opened."""
        folder = tmp_path / "data-test-0"
        folder.mkdir()
        with open_storage(self.provider, config=self.config, data_folder=folder) as opened:
            ((key, row),) = opened.facade.read(opened.prefix(1))
        assert (key.Name, row.Type, row.Size, row.State) == (str(folder / "disk"), "hdd", 2**20, "pool")
        return [({"Name": key.Name}, fields(row))]

    def prepare(self, opened: OpenStorage, workspace: int, rows: Sequence[Any]) -> None:
        """Do nothing: the disk is there."""
