from __future__ import annotations

import pytest


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution of one module that provides the storage Box."""

    def make(name, source):
        folder = tmp_path / name
        info = folder / f"{name}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[statehold.storages]\nBox = {name}:provider\n")
        (folder / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(folder)

    return make


_SOUND = """
from statehold.sdk import Operation, Provider
provider = Provider(name="Box", operations=[Operation.READ], open=print, description="a box")
"""


def test_the_storages_that_ship_are_listed(machine):
    listed = {item["name"]: item for item in machine("storages")["storages"]}
    assert set(listed) >= {"AppSecret", "Ephemeral", "Http", "Logger", "SendMail", "Table"}
    assert listed["Table"]["operations"] == ["GET", "GETBATCH", "READ", "INSERT", "UPDATE"]
    assert listed["Table"]["distribution"] == "statehold"


def test_an_installed_plugin_is_listed_with_where_it_is(statehold, install, tmp_path):
    install("boxes", _SOUND)
    text = statehold("storages")
    assert "boxes 1" in text
    assert str(tmp_path / "boxes") in text
    assert "a box" in text


def test_a_broken_plugin_is_listed_with_the_reason(statehold, machine, install):
    install("broken_boxes", "import no_such_module")
    text = statehold("storages", code=1)
    assert "broken" in text
    assert "no_such_module" in text
    assert "Table" in text
    (box,) = [item for item in machine("storages", code=1)["storages"] if item["name"] == "Box"]
    assert "no_such_module" in box["error"]


def test_a_name_claimed_twice_names_both(statehold, install):
    install("boxes", _SOUND)
    install("more_boxes", _SOUND)
    text = statehold("storages", code=1)
    assert "boxes 1" in text
    assert "more_boxes 1" in text
