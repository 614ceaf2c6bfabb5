"""qsfs.vault on a host: documents, editions of them, and shards that get lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs
import pytest

from statehold.hosting import Host
from statehold.processing import SYSTEM, ProcessingError, Request, Runtime
from statehold.sdk import fields

SAMPLE = Path(__file__).parents[2] / "app_images" / "qsfs.vault"
APP = "qsfs.vault"
HERE = Request(app=APP, workspace=1, principal=SYSTEM)
TEXTS = {f"report {number}": f"{number}: all is well. " * 500 for number in range(3)}


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
        found = [path for each in self.folder.rglob("shards") for path in each.iterdir()]
        assert len(found) == 7
        return sorted(found)


@pytest.fixture
def vault(host: Host, runtime: Runtime, tmp_path: Path) -> Vault:
    """Deploy the app, write documents and keep an edition of each."""
    host.deploy(Path(shutil.copytree(SAMPLE, tmp_path / APP, ignore=shutil.ignore_patterns("__pycache__"))))
    vault = Vault(host, runtime, tmp_path / "data")
    for name, text in TEXTS.items():
        vault.do("Write", Name=name, Text=text)
        vault.do("Keep", Name=name, Edition="1")
    return vault


def kept(vault: Vault) -> dict[object, object]:
    return {row["Name"]: (row["Edition"], row["Size"], row["Sound"]) for row in vault.ask("Editions")}


def test_documents_are_written_kept_and_recalled(vault: Vault) -> None:
    assert {row["Name"]: row["Size"] for row in vault.ask("Documents")} == {
        name: len(text) for name, text in TEXTS.items()
    }
    vault.do("Write", Name="report 1", Text="All is lost.")
    assert vault.ask("Show", Name="report 1") == [{"Name": "report 1", "Text": "All is lost."}]
    vault.do("Recall", Name="report 1", Edition="1")
    assert vault.ask("Show", Name="report 1") == [{"Name": "report 1", "Text": TEXTS["report 1"]}]


def test_an_edition_stays_what_it_is(vault: Vault) -> None:
    with pytest.raises(ProcessingError, match="report 1 has an edition 1, which stays as it is"):
        vault.do("Keep", Name="report 1", Edition="1")


@pytest.mark.parametrize("harm", ["lost", "damaged"])
def test_editions_survive_three_of_seven_folders(vault: Vault, harm: str) -> None:
    for folder in vault.shards()[2:5]:
        for file in [path for path in folder.rglob("*") if path.is_file()]:
            if harm == "lost":
                file.unlink()
            else:
                file.write_bytes(bytes(byte ^ 0x10 for byte in file.read_bytes()))
    assert kept(vault) == {name: ("1", len(text), True) for name, text in TEXTS.items()}


def test_a_new_version_has_what_was_kept(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / APP / "descriptor.json").write_text('{"Version": "2", "NumAppWorkspaces": 1}')
    vault.host.deploy(tmp_path / APP)
    vault.do("Keep", Name="report 0", Edition="2")
    assert [row["Edition"] for row in vault.ask("Editions", Name="report 0")] == ["1", "2"]
    assert vault.ask("Show", Name="report 2") == [{"Name": "report 2", "Text": TEXTS["report 2"]}]


def test_nothing_is_in_the_clear_where_editions_are_kept(vault: Vault) -> None:
    files = [path for folder in vault.shards() for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 7 * len(TEXTS)
    assert not [path for path in files if b"all is well" in path.read_bytes()]
