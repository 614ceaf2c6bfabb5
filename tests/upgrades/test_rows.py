"""No row that was acknowledged is lost, and no call fails, while versions are replaced and rolled back to.

The rows are in memory, in each isolation. `STATEHOLD_ROWS_UPGRADES=200` gives soak runs another size.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from statehold.hosting import Host
from statehold.images import build_image
from statehold.processing import SYSTEM, Request, Runtime
from statehold.rows import MemoryDriver

APP = "acme.ledger"
METER = Path(__file__).parents[2] / "app_images/acme.meter/image/pkg/acme.example/meter/wasm"
UPGRADES = int(os.environ.get("STATEHOLD_ROWS_UPGRADES", "50"))
WRITERS = 3

VSQL = """
APPLICATION ledger();

STATESTORAGE ENGINE {engine} (
  STORAGE Meter (READ SCOPE(QUERIES), INSERT SCOPE(COMMANDS))
  {schema};
)

ALTER WORKSPACE sys.AppWorkspaceWS (
  TYPE Entry (Meter text NOT NULL, At int64 NOT NULL);
  EXTENSION ENGINE PYTHON (
    COMMAND Write(Entry) INTENTS(Meter);
    QUERY All STATE(Meter) RETURNS Entry;
  );
);
"""
EPHEMERAL = """KEY (Meter text NOT NULL, At int64 NOT NULL) VALUE (Reading float64, Note text)
  WITH PROVIDER=Ephemeral, JSONCONFIG=`{"PartitionMaxSize": 1000000000}`"""
CODE = """
from statehold.sdk import extension

@extension
def write(call):
    call.Meter.insert(Meter=call.arg.Meter, At=call.arg.At, Reading=1.0)

@extension
def all(call):
    for key, _ in call.Meter.read():
        yield {"Meter": key.Meter, "At": key.At}
"""


@pytest.fixture
def build(tmp_path):
    """Return what builds a version whose storage runs in an isolation."""

    def build(version, isolation):
        root = tmp_path / "images" / version / APP
        package = root / "image/pkg/example.com/ledger"
        (package / "extensions").mkdir(parents=True)
        if isolation == "wasm":
            words = {"engine": "WASM", "schema": 'WITH JSONCONFIG=`{"LongestNote": 200}`'}
            shutil.copytree(METER, package / "wasm")
        else:
            words = {"engine": "BUILTIN", "schema": EPHEMERAL}
        (package / "ledger.vsql").write_text(VSQL.format(**words))
        (package / "extensions/ledger.py").write_text(CODE)
        storages = {"ledger.Meter": {"isolation": isolation}}
        descriptor = {"Version": version, "NumParts": 2, "NumAppWorkspaces": 2, "Storages": storages}
        (root / "descriptor.json").write_text(json.dumps(descriptor))
        return build_image(root, tmp_path / "images" / f"{version}.shi")

    return build


class Writer(threading.Thread):
    """Writes one row after the other, and knows which were acknowledged."""

    def __init__(self, runtime, number, stop):
        super().__init__()
        self.request = Request(app=APP, workspace=1 + number % 2, principal=SYSTEM)
        self.runtime, self.number, self.stop = runtime, number, stop
        self.acknowledged = []
        self.longest = 0.0

    def run(self):
        at = 0
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                self.runtime.command(self.request, "ledger.Write", {"Meter": f"of {self.number}", "At": at})
            except Exception as error:
                self.acknowledged.append(error)
                return
            self.longest = max(self.longest, time.monotonic() - began)
            self.acknowledged.append(at)
            at += 1
            # So that changes get on, too.
            self.stop.wait(0.001)


def lost(runtime, writers):
    """Return the rows that are not there, of those that had been acknowledged before anybody looked."""
    known = [(writer, len(writer.acknowledged)) for writer in writers]
    missing = []
    for workspace in (1, 2):
        request = Request(app=APP, workspace=workspace, principal=SYSTEM)
        found = {(row["Meter"], row["At"]) for row in runtime.query(request, "ledger.All", {})}
        missing += [
            (writer.number, at)
            for writer, count in known
            if writer.request.workspace == workspace
            for at in writer.acknowledged[:count]
            if (f"of {writer.number}", at) not in found
        ]
    return missing


WAYS = {
    "inprocess": ["inprocess"],
    "sidecar": ["sidecar"],
    "wasm": ["wasm"],
    "both": ["inprocess", "sidecar"],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("upgrades", "roll_backs", "keep"),
    [
        (3, 1, 1),
        pytest.param(UPGRADES, UPGRADES // 5, 0, marks=pytest.mark.soak),
        pytest.param(UPGRADES, UPGRADES // 5, 1, marks=pytest.mark.soak),
    ],
)
def test_no_row_is_lost_while_versions_are_replaced_and_rolled_back_to(
    tmp_path, build, way, keep, upgrades, roll_backs
):
    places, stop = WAYS[way], threading.Event()
    with (
        Host(tmp_path / "data", environ={}, rows=MemoryDriver(), keep=keep) as host,
        Runtime(host) as runtime,
    ):
        host.deploy(build("0", places[0]))
        writers = [Writer(runtime, number, stop) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        try:
            each = upgrades // roll_backs
            for number in range(1, upgrades + 1):
                host.deploy(build(str(number), places[number % len(places)]), accept_breaking=True)
                assert lost(runtime, writers) == [], f"after upgrade {number}"
                if number % each == 0:
                    host.rollback(APP)
                    assert lost(runtime, writers) == [], f"after the roll-back from {number}"
        finally:
            stop.set()
            for writer in writers:
                writer.join(120)
        assert lost(runtime, writers) == []
        rows = sum(len(writer.acknowledged) for writer in writers)
        print(f"{way}, keep {keep}: {rows} rows, {max(writer.longest for writer in writers):.3f} s at most")
        assert not [one for writer in writers for one in writer.acknowledged if isinstance(one, Exception)]
        assert rows > WRITERS
