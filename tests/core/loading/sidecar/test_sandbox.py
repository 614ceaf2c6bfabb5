"""A plugin in a sidecar is shut in before any of its code runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from wild_use import do

from statehold.loading import Entry
from statehold.loading.sidecar import Limits, SidecarPlugin, Sidecars
from statehold.sdk import PluginError, Provider
from statehold.testing import StorageConformance, open_storage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a user of its own needs a host that is root")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecars]:
    with Sidecars(private=[tmp_path_factory.getbasetemp()]) as sidecars:
        yield sidecars


@pytest.fixture
def plugin(guarded: Sidecars, wild_file: Path, tmp_path: Path) -> Iterator[SidecarPlugin]:
    folders = tmp_path / "data", tmp_path / "more"
    (tmp_path / "secret").write_text("of the host", encoding="utf-8")

    def made() -> tuple[Path, ...]:
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)
        return folders

    with guarded.load_file(
        wild_file, owner="acme.bills 1", data_folders=made, limits=Limits(memory_mib=64)
    ) as loaded:
        yield loaded


def test_a_storage_writes_in_its_data_folder_and_nowhere_else(plugin: SidecarPlugin, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with open_storage(plugin.providers["Wild"], data_folder=folder) as opened:
        assert do(opened, "eval (ctx.data_folder / 'a').write_text('b')") == "1"
        with pytest.raises(OSError, match="secret"):
            do(opened, f"eval Path({str(tmp_path / 'secret')!r}).read_text()")
        with pytest.raises(OSError, match="shadow"):
            do(opened, "eval Path('/etc/shadow').read_text()")
        with pytest.raises(OSError, match="x"):
            do(opened, "eval Path('/usr/x').write_text('')")
        with pytest.raises(OSError, match="ot permitted"):
            do(opened, "eval os.fork()")
        assert int(do(opened, "eval os.getuid()") or 0) > 1 << 20
        assert do(opened, "eval sorted(os.environ)") == repr(
            sorted({"PATH", "LANG", "LC_ALL", "TZ", "LC_CTYPE"} & set(os.environ))
        )
    assert (folder / "a").read_text() == "b"


def test_memory_above_the_limit_is_an_error_of_the_call(plugin: SidecarPlugin, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with open_storage(plugin.providers["Wild"], data_folder=folder) as opened:
        pid = do(opened, "pid")
        with pytest.raises(MemoryError):
            do(opened, f"memory {100 << 20}")
        assert do(opened, "pid") == pid


def test_what_the_machine_lacks_is_told(plugin: SidecarPlugin) -> None:
    assert all(": " in line for line in plugin.lacking)


def test_a_plugin_is_shut_in_before_its_code_runs(guarded: Sidecars, make_wheel) -> None:
    code = "import os\nfrom pathlib import Path\nPath('/etc/shadow').read_text()\n"
    wheel = make_wheel({"wild.py": code}, name="acme-wild", storages={"Wild": "wild:provider"})
    with pytest.raises(PluginError, match="shadow"):
        guarded.load_file(wheel, owner="acme.bills 1")


@pytest.fixture(scope="module")
def ephemeral(guarded: Sidecars) -> Iterator[Provider]:
    value = "statehold_sys.ephemeral:provider"
    entry = Entry(name="Ephemeral", value=value, distribution="statehold", version="0", location="/")
    with guarded.load_installed([entry], owner="acme.bills 1") as loaded:
        yield loaded.providers["Ephemeral"]


class TestGuarded(StorageConformance):
    """A storage that keeps its rows in memory."""

    may_forget = True
    ordered = True
    examples = 10

    @pytest.fixture
    def provider(self, ephemeral: Provider) -> Provider:
        return ephemeral
