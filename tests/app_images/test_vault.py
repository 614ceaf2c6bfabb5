"""qsfs.vault on a host: documents, editions of them, and shards that get lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from statehold.hosting import Host
from statehold.processing import SYSTEM, ProcessingError, Request, Runtime
from statehold.sdk import fields

SAMPLE = Path(__file__).parents[2] / "app_images" / "qsfs.vault"
APP = "qsfs.vault"
HERE = Request(app=APP, workspace=1, principal=SYSTEM)
TEXTS = {f"report {number}": f"{number}: all is well. " * 500 for number in range(2)}


@attrs.frozen
class Vault:
    host: Host
    runtime: Runtime
    folder: Path

    def do(self, name: str, **args: str) -> None:
        self.runtime.command(HERE, f"vault.{name}", args)

    def ask(self, name: str, **args: str) -> list[dict[str, object]]:
        return [fields(row) for row in self.runtime.query(HERE, f"vault.{name}", args)]

    def shards(self) -> list[Path]:
        """Return the folders that have a shard of each edition."""
        found = [path for each in (self.folder / "data").rglob("shards") for path in each.iterdir()]
        assert len(found) == 7
        return sorted(found)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """Deploy the app, write documents and keep an edition of each; the tests take turns in any order."""
    folder = tmp_path_factory.mktemp("vault")
    shutil.copytree(SAMPLE, folder / APP, ignore=shutil.ignore_patterns("__pycache__"))
    with Host(folder / "data") as host, Runtime(host) as runtime:
        host.deploy(folder / APP)
        vault = Vault(host, runtime, folder)
        for name, text in TEXTS.items():
            vault.do("Write", Name=name, Text=text)
            vault.do("Keep", Name=name, Edition="1")
        yield vault


def contents(folders: list[Path]) -> dict[Path, bytes]:
    """Return the files that are there, while others may be repaired."""
    found = {}
    for folder, _, names in [walked for each in folders for walked in os.walk(each)]:
        for path in [Path(folder) / name for name in names]:
            with contextlib.suppress(FileNotFoundError):
                found[path] = path.read_bytes()
    return found


def kept(vault: Vault) -> dict[object, object]:
    rows = [row for name in TEXTS for row in vault.ask("Editions", Name=name)]
    return {row["Name"]: (row["Size"], row["Sound"]) for row in rows if row["Edition"] == "1"}


def test_documents_are_written_kept_and_recalled(vault: Vault) -> None:
    told = {row["Name"]: row["Size"] for row in vault.ask("Documents")}
    assert told.items() >= {name: len(text) for name, text in TEXTS.items()}.items()
    vault.do("Write", Name="report 1", Text="All is lost.")
    assert vault.ask("Show", Name="report 1") == [{"Name": "report 1", "Text": "All is lost."}]
    vault.do("Recall", Name="report 1", Edition="1")
    assert vault.ask("Show", Name="report 1") == [{"Name": "report 1", "Text": TEXTS["report 1"]}]


def test_an_edition_stays_what_it_is(vault: Vault) -> None:
    with pytest.raises(ProcessingError, match="report 1 has an edition 1, which stays as it is"):
        vault.do("Keep", Name="report 1", Edition="1")


@pytest.mark.parametrize("harm", ["lost", "damaged"])
def test_editions_survive_three_of_seven_folders(vault: Vault, harm: str) -> None:
    for file, data in contents(vault.shards()[2:5]).items():
        if harm == "lost":
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(bytes(byte ^ 0x10 for byte in data))
    assert kept(vault) == {name: (len(text), True) for name, text in TEXTS.items()}


def test_a_new_version_has_what_was_kept(vault: Vault) -> None:
    version = int(vault.host.app(APP).current.name) + 1
    descriptor = {"Version": str(version), "NumAppWorkspaces": 1}
    (vault.folder / APP / "descriptor.json").write_text(json.dumps(descriptor))
    vault.host.deploy(vault.folder / APP)
    vault.do("Keep", Name="report 0", Edition="2")
    assert [row["Edition"] for row in vault.ask("Editions", Name="report 0")] == ["1", "2"]
    assert vault.ask("Show", Name="report 0") == [{"Name": "report 0", "Text": TEXTS["report 0"]}]


def test_nothing_is_in_the_clear_where_editions_are_kept(vault: Vault) -> None:
    found = contents(vault.shards())
    assert len(found) >= 4 * len(TEXTS)
    assert not [path for path, data in found.items() if b"all is well" in data]
