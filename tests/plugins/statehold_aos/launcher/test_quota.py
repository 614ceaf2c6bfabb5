"""The limit of a service's storage, kept by a real file system, for the service's own user."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fleet import ANN, BOB, Fleet, claim, wait_for

MIB = 2**20
#: Writes until it is refused, gives it back, and changes its state.
FILLS = """
if dd if=/dev/zero of="$AOS_STORAGE_FOLDER/file" bs=65536 count=400 conv=fsync 2> "$AOS_STORAGE_FOLDER/why"
then echo all was taken
else echo refused: $(cat "$AOS_STORAGE_FOLDER/why" | head -1)
fi
stat -c "size %s" "$AOS_STORAGE_FOLDER/file"
rm "$AOS_STORAGE_FOLDER/file"
printf full > "$AOS_STATE_FILE.new"; mv "$AOS_STATE_FILE.new" "$AOS_STATE_FILE"
echo done
while :; do sleep 1000; done
"""
IDLES = "while :; do sleep 1000; done"


def run(fleet: Fleet, root: Path, backend: str) -> None:
    root.chmod(0o755)
    fleet.storage_options = {"Root": str(root), "Backend": backend, "Enable": True, "Require": True}
    quotas: dict[str, Any] = {"storageLimit": 4 * MIB, "stateLimit": 1000}
    with fleet:
        fleet.launcher.switch(1, ["bob"])
        fleet.install("nav", 1, IDLES, quotas=quotas)
        (fleet.path("nav", BOB) / "of bob").write_bytes(bytes(2 * MIB))
        fleet.launcher.switch(1, ["ann"])
        fleet.install("nav", 2, FILLS, quotas=quotas)
        wait_for(lambda: "done" in fleet.logged("nav"))
        logged = fleet.logged("nav")
        assert "refused" in logged, logged
        (size,) = [int(line.rpartition(" ")[2]) for line in logged.splitlines() if " size " in line]
        # Both share the limit, with room for the states of both.
        assert MIB <= size <= 4 * MIB
        wait_for(lambda: fleet.cloud.state(claim("nav", ANN)) == b"full")
        assert fleet.path("nav", ANN).stat().st_uid == fleet.tables.services.get("nav").uid != 0


def test_a_service_is_refused_what_its_users_together_may_not_have_on_btrfs(
    tmp_path: Path, btrfs: Path
) -> None:
    run(Fleet(tmp_path / "fleet"), btrfs, "auto")


def test_a_service_is_refused_what_its_users_together_may_not_have_in_an_image(
    tmp_path: Path, loop_root: Path
) -> None:
    run(Fleet(tmp_path / "fleet"), loop_root, "loop")


@pytest.fixture(autouse=True)
def passable(tmp_path: Path) -> None:
    """Let a service pass: it sees its own folder only, but who probes the quota is somebody, too."""
    tmp_path.chmod(0o755)
