"""What a crash leaves, at every moment of what a launcher does, and damage: the next start mends it."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fleet import ANN, BOB, Fleet, claim, wait_for

from statehold.sdk import StorageError
from statehold_aos.database._services_table import ServicesTable
from statehold_aos.database._users_table import UsersTable
from statehold_aos.launcher._installer import Installer
from statehold_aos.launcher._launcher import Launcher
from statehold_aos.launcher._reports import Reports
from statehold_aos.launcher._stores import Stores
from statehold_aos.launcher._unit import Phase

SLACK = 512 * 1024


class Crashing(Fleet):
    """What is on the disk at a moment is what the next host finds, as after kill -9."""

    def crashes(
        self, patch: pytest.MonkeyPatch, target: type, moment: str, work: Callable[[], Any], seen: Any = None
    ) -> None:
        before = getattr(target, moment)
        taken = self.folder.with_name("taken")

        def at_the_moment(*args: Any, **kwargs: Any) -> Any:
            if not taken.exists() and (seen is None or seen(*args)):
                with contextlib.suppress(shutil.Error):  # what is replaced at this moment
                    shutil.copytree(self.folder, taken, symlinks=True)
            return before(*args, **kwargs)

        patch.setattr(target, moment, at_the_moment)
        work()
        wait_for(taken.exists)
        patch.undo()
        self.end()
        shutil.rmtree(self.folder)
        taken.rename(self.folder)
        self.start()

    def images(self) -> list[str]:
        root = self.folder / "launcher/services"
        return sorted(each.name for each in root.glob("*/*/*"))


@pytest.fixture
def fleet(tmp_path: Path) -> Any:
    fleet = Crashing(tmp_path / "unit")
    with fleet:
        fleet.launcher.switch(1, ["ann"])
        yield fleet


def test_an_install_that_was_not_recorded_has_not_happened(
    fleet: Crashing, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.crashes(monkeypatch, ServicesTable, "add", lambda: fleet.install("nav"))
    assert fleet.launcher.status(1) == []
    assert list((fleet.folder / "launcher/services").iterdir()) == []
    fleet.install("nav")


def test_an_install_that_was_recorded_comes_to_its_end(
    fleet: Crashing, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.crashes(monkeypatch, Stores, "bring", lambda: fleet.install("nav"))
    assert fleet.runs("nav").users == ANN
    assert fleet.path("nav").is_dir()
    assert fleet.limit("nav") == 1_000_000 + 2 * 1000 + SLACK


@pytest.mark.parametrize(
    ("target", "moment"),
    [(ServicesTable, "update"), (Stores, "bring"), (Reports, "started"), (Installer, "keep")],
)
def test_an_update_that_was_still_tried_has_not_happened(
    fleet: Crashing, monkeypatch: pytest.MonkeyPatch, target: type, moment: str
) -> None:
    fleet.install("nav", 1)
    before = fleet.tables.services.get("nav")
    (fleet.path("nav") / "map").write_text("kept")
    newer: dict[str, Any] = {"quotas": {"storageLimit": 2_000_000}}
    fleet.crashes(monkeypatch, target, moment, lambda: fleet.install("nav", 2, **newer))
    assert fleet.runs("nav", 1).message == ""
    after = fleet.tables.services.get("nav")
    assert (after.uid, after.storage_limit, after.path) == (before.uid, 1_000_000, before.path)
    assert fleet.images() == ["1-0"]
    assert fleet.limit("nav") == 1_000_000 + 2 * 1000 + SLACK
    assert (fleet.path("nav") / "map").read_text() == "kept"
    fleet.install("nav", 2, **newer)


@pytest.mark.parametrize(("target", "moment"), [(UsersTable, "remove_service"), (Stores, "remove")])
def test_a_removal_that_has_begun_comes_to_its_end(
    fleet: Crashing, monkeypatch: pytest.MonkeyPatch, target: type, moment: str
) -> None:
    fleet.install("nav")
    fleet.launcher.switch(1, ["bob"])
    fleet.install("nav")
    bob, ann = fleet.path("nav", BOB), fleet.path("nav", ANN)
    fleet.crashes(monkeypatch, target, moment, lambda: fleet.launcher.remove(1, "nav"))
    assert fleet.status("nav").phase is Phase.INSTALLED
    assert not bob.exists()
    assert ann.exists()
    assert fleet.launcher._journal.notes.removals == []


@pytest.mark.parametrize(("target", "moment"), [(ServicesTable, "remove_with_users"), (Stores, "remove")])
def test_a_service_that_was_to_be_purged_is_gone(
    fleet: Crashing, monkeypatch: pytest.MonkeyPatch, target: type, moment: str
) -> None:
    fleet.install("nav")
    fleet.install("radio")
    folder = fleet.path("nav")
    fleet.crashes(monkeypatch, target, moment, lambda: fleet.launcher.purge(1, "nav"))
    assert [one.service for one in fleet.launcher.status(1)] == ["radio"]
    assert not folder.exists()
    assert fleet.images() == ["1-0"]
    assert fleet.state.storage.limit(1, "nav", ANN) is None
    fleet.runs("radio")


def test_a_service_that_ran_when_the_host_crashed_counts_as_used_until_then(
    fleet: Crashing, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.install("nav", ttlDays=1)
    fleet.clock.more += 30 * 86_400
    fleet.crashes(monkeypatch, Launcher, "switch", lambda: fleet.launcher.switch(1, ["ann"]))
    fleet.launcher.switch(1, ["bob"])
    fleet.sees("nav", lambda one: one.phase is Phase.INSTALLED)
    assert fleet.path("nav").exists()


def test_an_image_that_is_gone_harms_no_other_and_is_mended_by_another_install(fleet: Crashing) -> None:
    """Nothing is wiped because a path is missing: not the other services, nor anybody's storage."""
    for name in ("nav", "radio"):
        fleet.install(name)
    (fleet.path("nav") / "map").write_text("kept")
    place = Path(fleet.tables.services.get("nav").path)
    fleet.end()
    shutil.rmtree(place)
    fleet.start()
    fleet.runs("radio")
    status = fleet.status("nav")
    assert status.phase is Phase.FAILED
    assert "its image is damaged, install it again" in status.message
    assert (fleet.path("nav") / "map").read_text() == "kept"
    fleet.install("nav")
    assert (fleet.path("nav") / "map").read_text() == "kept"


def test_a_storage_folder_that_is_gone_harms_no_other(fleet: Crashing) -> None:
    for name in ("nav", "radio"):
        fleet.install(name)
    (fleet.path("radio") / "map").write_text("kept")
    folder = fleet.path("nav")
    fleet.end()
    shutil.rmtree(folder)
    fleet.start()
    fleet.runs("nav")
    fleet.runs("radio")
    assert (fleet.path("radio") / "map").read_text() == "kept"


def test_storage_that_nobody_of_the_launcher_s_has_is_left_alone(fleet: Crashing) -> None:
    storage = fleet.storage.storage
    storage.apply_batch(
        [storage.intent(1, "another's", "", StorageLimit=1), storage.intent(1, "another's", ANN)]
    )
    folder = fleet.path("another's")
    fleet.install("nav")
    fleet.launcher.purge(1, "nav")
    fleet.gone("nav")
    fleet.end()
    fleet.start()
    assert folder.is_dir()


def test_notes_that_cannot_be_read_are_an_error_and_nothing_is_removed(fleet: Crashing) -> None:
    fleet.install("nav")
    folder = fleet.path("nav")
    fleet.end()
    file = fleet.folder / "launcher/launcher.json"
    before = file.read_text()
    file.write_text(before[:-10])
    with pytest.raises(StorageError, match=r"launcher\.json cannot be read"):
        fleet.start()
    fleet.end()
    assert folder.is_dir()
    file.write_text(before)
    fleet.start()
    fleet.runs("nav")


def test_a_state_that_was_written_while_the_host_was_down_goes_to_the_cloud(fleet: Crashing) -> None:
    script = 'echo > "$AOS_STORAGE_FOLDER/here"; while :; do sleep 1000; done'
    fleet.install("nav", script=script)
    file = fleet.path("nav") / "state.dat"
    fleet.end()
    file.write_bytes(b"meanwhile")
    fleet.start()
    wait_for(lambda: fleet.cloud.state(claim("nav")) == b"meanwhile")
