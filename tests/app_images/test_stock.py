from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from statehold.loading.sidecar import Sidecars
from statehold.processing import SYSTEM, ProcessingError, Request
from statehold.sdk import DeployError
from statehold.testing import StorageConformance, open_storage

SAMPLE = Path(__file__).parents[2] / "app_images" / "acme.stock"
PROGRAM = Path("image") / "pkg" / "acme.example" / "stock" / "storages-1.0"
HERE = Request(app="acme.stock", workspace=1, principal=SYSTEM)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a copy of the sample with its program, compiled now."""
    if not shutil.which("make") or not shutil.which("cc"):
        pytest.skip("compiling the sample takes make and a C compiler, which are not installed")
    folder = tmp_path_factory.mktemp("stock")
    folder.chmod(0o755)
    copy = Path(shutil.copytree(SAMPLE, folder / "acme.stock", ignore=shutil.ignore_patterns("storages-*")))
    subprocess.run(["make", "-s", "-C", copy], check=True, timeout=120)
    return copy


@pytest.fixture(scope="module")
def sidecars():
    with Sidecars() as made:
        yield made


@pytest.fixture(scope="module")
def open_sidecars():
    """Sidecars that are not shut in: the kit makes data folders when the sandbox could take in no more."""
    with Sidecars(sandbox=False) as made:
        yield made


def test_what_is_delivered_and_taken_is_kept_by_the_program(host, runtime, built):
    host.deploy(built)
    runtime.command(HERE, "stock.Deliver", {"Item": "nail", "Amount": 100, "Place": "box"})
    runtime.command(HERE, "stock.Deliver", {"Item": "bolt", "Amount": 7})
    runtime.command(HERE, "stock.Deliver", {"Item": "nail", "Amount": 20})
    runtime.command(HERE, "stock.Take", {"Item": "nail", "Amount": 50})
    with pytest.raises(ProcessingError, match="there are 7 of bolt"):
        runtime.command(HERE, "stock.Take", {"Item": "bolt", "Amount": 8})
    rows = [(row["Item"], row["Amount"], row["Place"]) for row in runtime.query(HERE, "stock.List", {})]
    assert rows == [("bolt", 7, None), ("nail", 70, "box")]


def test_what_the_program_refuses_is_told(host, runtime, built):
    host.deploy(built)
    with pytest.raises(ProcessingError, match="4096 bytes at most"):
        runtime.command(HERE, "stock.Deliver", {"Item": "x" * 5000, "Amount": 1})


def test_an_image_whose_program_was_not_compiled_is_not_deployed(host, tmp_path):
    ignore = shutil.ignore_patterns("storages-*")
    copy = Path(shutil.copytree(SAMPLE, tmp_path / "acme.stock", ignore=ignore))
    with pytest.raises(DeployError) as caught:
        host.deploy(copy)
    assert "its package has no executable with storages" in " ".join(caught.value.problems)


def test_the_beginning_of_a_change_that_was_never_finished_is_not_there(sidecars, built, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    with sidecars.load_executable(built / PROGRAM, owner="acme.stock 1", data_folders=[folder]) as plugin:
        provider = plugin.providers["Stock"]
        with open_storage(provider, data_folder=folder) as opened:
            opened.insert(opened.key(1, Item="a"), opened.value(Amount=1))
        with (folder / "stock.log").open("ab") as file:
            file.write(b"\x40\x00\x00\x00\x91\x93")
        for amount in (1, 2):
            with open_storage(provider, data_folder=folder) as opened:
                found = opened.facade.get(opened.key(1, Item="a"))
                assert found is not None
                assert found["Amount"] == amount
                opened.insert(opened.key(1, Item="a"), opened.value(Amount=amount + 1))


class TestStock(StorageConformance):
    durable = True
    ordered = True
    refused = [({"Item": "x" * 5000}, {"Amount": 1})]
    examples = 20

    @pytest.fixture
    def provider(self, open_sidecars, built):
        with open_sidecars.load_executable(built / PROGRAM, owner="acme.stock 1") as plugin:
            yield plugin.providers["Stock"]
