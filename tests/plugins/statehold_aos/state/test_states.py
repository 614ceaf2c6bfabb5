from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from unit import ANN, Deaf, Unit, unit

from statehold.sdk import StorageError
from statehold_aos._state._batch import Change
from statehold_aos._state._facts import Rule
from statehold_aos._state._file import StateFile
from statehold_aos.database import Database, Service
from statehold_aos.gateway import ClaimId, Cloud, NewState, checksum_of

BOB = ClaimId(1, "nav", '["bob"]')


# -- The three diagrams, on the disk ---------------------------------------------------------------------


def test_what_a_service_writes_goes_to_the_cloud_after_a_second_of_quiet(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make()
        one.path().write_bytes(b"half")
        one.passes(0.9)
        one.path().write_bytes(b"whole")
        one.passes(0.9)
        assert one.cloud.state(ANN) is None
        one.passes(0.1)
        one.agree(b"whole")
        assert one.kept() == [("accepted", b"whole")]


def test_one_who_writes_all_the_time_is_looked_at_every_10_seconds(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make()
        for number in range(20):
            one.path().write_bytes(b"%d" % number)
            one.passes(0.5)
        assert one.cloud.state(ANN) == b"19"


def test_a_push_of_the_cloud_is_written_without_an_echo(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        sent: list[NewState] = []
        one.cloud.judge(lambda new: sent.append(new) or "")
        one.gateway.push(ANN, b"from the cloud")
        one.passes(20.0)
        one.agree(b"from the cloud")
        assert sent == []


def test_what_is_rejected_is_kept_and_the_file_is_as_the_cloud_has_it(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"good")
        one.cloud.judge(lambda new: "bad" if new.state == b"bad" else "")
        one.write(b"bad")
        one.agree(b"good")
        assert ("rejected", b"bad") in one.kept()
        one.write(b"better")
        one.agree(b"better")


def test_a_file_that_replaces_the_file_is_seen_again_and_again(tmp_path: Path) -> None:
    """A watch of the file would end with the first one."""
    with unit(tmp_path) as one:
        one.make(state=b"a")
        for state in (b"b", b"c", b"d"):
            new = one.path().with_name("new")
            new.write_bytes(state)
            new.replace(one.path())
            one.passes(1.0)
            one.agree(state)


def test_owner_and_modes_of_the_file_stay(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        assert one.path().stat().st_mode & 0o777 == 0o600
        one.path().chmod(0o640)
        if os.geteuid() == 0:
            os.chown(one.path(), 1234, 1235)
        before = one.path().stat()
        one.gateway.push(ANN, b"b")
        one.settle()
        after = one.path().stat()
        assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
        assert [path.name for path in one.path().parent.iterdir()] == ["state.dat"]


# -- Offline, restarts -----------------------------------------------------------------------------------


def test_what_changes_offline_is_sent_when_there_is_a_connection_over_restarts(tmp_path: Path) -> None:
    one = Unit(tmp_path)
    one.start()
    one.make(state=b"a")
    one.end()
    one.start(online=False)
    one.write(b"offline")
    one.passes(100_000.0)
    one.end()
    one.start()
    one.agree(b"offline")
    one.end()


def test_what_was_written_in_the_last_second_of_a_host_is_sent_by_the_next(tmp_path: Path) -> None:
    one = Unit(tmp_path)
    one.start()
    one.make(state=b"a")
    one.path().write_bytes(b"last words")
    one.settle()
    one.end()
    one.start()
    one.agree(b"last words")
    one.end()


def test_of_many_changes_offline_the_last_one_counts(tmp_path: Path) -> None:
    one = Unit(tmp_path)
    one.start(online=False)
    one.make()
    for state in (b"1", b"2", b"3"):
        one.write(state)
    one.connect()
    one.agree(b"3")
    one.end()


def test_after_a_lost_answer_the_state_is_sent_again_and_later_changes_too(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        gateway = Deaf(one.cloud)
        one.states.connect(gateway)
        one.write(b"b")
        one.passes(1_000.0)
        assert one.cloud.state(ANN) == b"a"
        one.write(b"c")
        gateway.deaf = False
        one.passes(60.0)
        one.agree(b"c")
        one.write(b"d")
        one.agree(b"d")


def test_a_change_while_an_answer_is_awaited_is_sent(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        gateway = Deaf(one.cloud)
        one.states.connect(gateway)
        one.write(b"b")
        one.write(b"c")
        gateway.deaf = False
        one.passes(60.0)
        one.agree(b"c")


# -- Limits ----------------------------------------------------------------------------------------------


def test_a_state_over_the_limit_is_neither_sent_nor_lost_and_one_within_is_sent(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        one.write(bytes(1001))
        assert one.cloud.state(ANN) == b"a"
        found = one.states.look(ANN)
        assert found is not None
        assert "1,001 bytes, 1,000 are allowed" in found[0].message
        one.gateway.push(ANN, b"from the cloud")
        one.settle()
        one.agree(b"from the cloud")
        assert one.path().with_name("state.dat.too-large").stat().st_size == 1001
        one.write(bytes(1000))
        one.agree(bytes(1000))


def test_a_push_over_the_limit_is_not_written(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        one.gateway.push(ANN, bytes(1001))
        one.settle()
        assert one.path().read_bytes() == b"a"


def test_a_batch_with_a_state_over_the_limit_changes_nothing(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        with pytest.raises(StorageError, match="1,001 bytes, 1,000 are allowed"):
            one.states.change({ANN: Change(state=b"a"), BOB: Change(state=bytes(1001))})
        assert one.states.claims() == []
        assert not one.path().exists()


# -- Starts ----------------------------------------------------------------------------------------------


def test_a_service_with_a_wrong_state_is_held_until_the_cloud_has_sent_the_right_one(tmp_path: Path) -> None:
    with unit(tmp_path, hold=True) as one:
        one.make(state=b"a")
        one.states.connect(gateway := Deaf(one.cloud))
        one.settle()
        one.path().write_bytes(b"torn")
        released: list[int] = []
        assert not one.states.starting(ANN, lambda: released.append(1))
        one.passes(30.0)
        assert released == []
        gateway.deaf = False
        one.passes(60.0)
        assert released == [1]
        one.agree(b"a")
        assert ("local", b"torn") in one.kept()
        assert one.states.starting(ANN)


def test_a_service_with_a_wrong_state_starts_where_it_is_not_to_be_held(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        one.path().write_bytes(b"torn")
        assert one.states.starting(ANN)
        one.settle()
        one.agree(b"a")


def test_the_first_start_gets_the_default_of_the_cloud(tmp_path: Path) -> None:
    with unit(tmp_path, cloud=Cloud(default=b"default")) as one:
        one.make()
        one.states.starting(ANN)
        one.settle()
        one.agree(b"default")


def test_a_service_that_stops_has_its_last_state_sent_at_once(tmp_path: Path) -> None:
    with unit(tmp_path, hold=True) as one:
        one.make(state=b"a")
        one.path().write_bytes(b"bye")
        one.states.stopped(ANN)
        assert one.states.starting(ANN)
        one.settle()
        one.agree(b"bye")


# -- Both sides ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "stands"), [(Rule.CLOUD, b"cloud"), (Rule.LOCAL, b"local")])
def test_where_both_sides_have_changed_one_stands_and_both_are_kept(
    tmp_path: Path, rule: Rule, stands: bytes
) -> None:
    one = Unit(tmp_path, rule=rule)
    one.start()
    one.make(state=b"a")
    one.end()
    one.start(online=False)
    one.write(b"local")
    one.cloud.push(ANN, b"cloud")
    one.connect()
    one.agree(stands)
    assert {b"local", b"cloud"} <= {state for _, state in one.kept()}
    one.end()


def test_what_a_service_writes_at_the_very_moment_of_an_update_is_kept(tmp_path: Path, monkeypatch) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        write = StateFile.write

        def race(file: StateFile, state: bytes, limit: int) -> bytes | None:
            file.path.write_bytes(b"just now")
            return write(file, state, limit)

        monkeypatch.setattr(StateFile, "write", race)
        one.gateway.push(ANN, b"b")
        one.settle()
        one.agree(b"b")
        assert ("local", b"just now") in one.kept()


def test_as_many_versions_are_kept_as_are_asked_for(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make()
        for number in range(6):
            one.write(b"%d" % number)
        assert one.kept() == [("accepted", b"5"), ("accepted", b"4"), ("accepted", b"3")]


def test_binary_states_go_both_ways(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make()
        one.write(bytes(range(256)))
        one.agree(bytes(range(256)))
        one.gateway.push(ANN, bytes(range(255, -1, -1)))
        one.settle()
        one.agree(bytes(range(255, -1, -1)))


# -- What goes wrong -------------------------------------------------------------------------------------


def test_one_folder_that_is_not_there_harms_no_other_and_is_found_when_it_is_back(tmp_path: Path) -> None:
    one = Unit(tmp_path)
    one.start()
    one.make(ANN, b"a")
    one.make(BOB, b"b")
    one.end()
    folder, away = one.path(BOB).parent, tmp_path / "away"
    folder.rename(away)
    missing = {"folder_of": lambda claim: tmp_path / claim.service / claim.users}
    one.start(**missing)
    one.write(b"a2")
    one.agree(b"a2")
    away.rename(folder)
    one.passes(11.0)
    one.write(b"b2", BOB)
    one.agree(b"b2", BOB)
    one.end()


def test_a_folder_that_is_removed_and_made_again_is_watched_again(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        shutil.rmtree(one.path().parent)
        one.passes(1.0)
        one.passes(10.0)
        one.passes(60.0)
        one.agree(b"a")  # the cloud was asked
        one.write(b"b")
        one.agree(b"b")


def test_an_update_that_cannot_be_written_leaves_the_old_state_and_is_not_confirmed(
    tmp_path: Path, monkeypatch
) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")

        def full(file: StateFile, state: bytes, limit: int) -> bytes | None:
            raise OSError(28, "No space left on device", str(file.path))

        with monkeypatch.context() as patched:
            patched.setattr(StateFile, "write", full)
            one.gateway.push(ANN, b"b")
            one.settle()
            assert one.path().read_bytes() == b"a"
            assert len(one.cloud.unconfirmed()) == 1
            with pytest.raises(StorageError, match="No space left on device"):
                one.states.change({ANN: Change(state=b"c"), BOB: Change(state=b"d")})
            assert one.states.claims() == [ANN]
        one.connect()
        one.agree(b"b")


def test_the_accepted_checksum_is_also_where_a_service_manager_looks_for_it(tmp_path: Path) -> None:
    with Database.open(tmp_path / "aos.db") as database:
        database.of(1).services.add(Service(id="nav"))
        database.of(1).users.add_service(["ann"], "nav")
        with unit(tmp_path) as one:
            one.make(state=b"a")
            one.agree(b"a")
        assert database.of(1).users.get(["ann"], "nav").state_checksum == checksum_of(b"a")


def test_the_checksum_that_a_service_manager_has_noted_is_the_accepted_one(tmp_path: Path) -> None:
    with Database.open(tmp_path / "aos.db") as database:
        database.of(1).services.add(Service(id="nav"))
        database.of(1).users.add_service(["ann"], "nav")
        database.of(1).users.set_state_checksum(["ann"], "nav", checksum_of(b"a"))
    with unit(tmp_path, hold=True) as one:
        one.path().write_bytes(b"a")
        one.make()
        assert one.states.starting(ANN)


def test_a_claim_that_is_removed_is_gone_with_its_file_and_its_versions(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        one.states.change({ANN: Change(removed=True)})
        assert one.states.claims() == []
        assert one.kept() == []
        assert not one.path().exists()
        one.gateway.push(ANN, b"b")
        one.settle()
        assert not one.path().exists()
