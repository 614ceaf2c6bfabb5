"""What goes wrong in Service Managers of AOS, by reading them, and does not here."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from unit import ANN, Deaf, Unit, unit

from statehold.testing import open_storage
from statehold_aos import service_state
from statehold_aos._state._batch import Change
from statehold_aos.gateway import ClaimId, checksum_of


def test_1_after_one_lost_answer_later_changes_are_sent(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        one.states.connect(gateway := Deaf(one.cloud))
        one.write(b"lost")
        gateway.deaf = False
        for state in (b"b", b"c"):
            one.write(state)
            one.agree(state)


def test_2_a_change_while_an_answer_is_awaited_is_sent_without_another_one(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        one.states.connect(gateway := Deaf(one.cloud))
        one.write(b"b")
        one.path().write_bytes(b"meanwhile")
        one.passes(1.0)
        gateway.deaf = False
        one.passes(60.0)
        one.agree(b"meanwhile")


def test_3_an_update_needs_no_restart_of_the_service_and_has_no_echo(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        echoes: list[bytes] = []
        one.cloud.judge(lambda new: echoes.append(new.state) or "")
        for number in range(5):
            one.gateway.push(ANN, b"%d" % number)
            one.passes(2.0)
        assert echoes == []
        one.write(b"by the service, which runs")
        one.agree(b"by the service, which runs")


def test_4_the_file_stays_that_of_the_service_s_user(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        if os.geteuid() == 0:
            os.chown(one.path(), 5001, 5001)
        owner = one.path().stat().st_uid
        one.gateway.push(ANN, b"b")
        one.settle()
        one.states.change({ANN: Change(state=b"c")})
        assert one.path().stat().st_uid == owner


def test_5_a_file_that_is_replaced_by_another_one_is_seen_ever_after(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        for state in (b"b", b"c", b"d"):
            new = one.path().with_name("new")
            new.write_bytes(state)
            new.replace(one.path())
            one.passes(1.0)
            one.agree(state)


def test_6_a_change_offline_is_not_lost_by_a_restart_in_the_first_second_or_later(tmp_path: Path) -> None:
    one = Unit(tmp_path)
    one.start()
    one.make(state=b"a")
    one.end()
    for state, seconds in ((b"noticed", 1.0), (b"not even noticed", 0.0)):
        one.start(online=False)
        one.path().write_bytes(state)
        one.passes(seconds)
        one.end()
        one.start()
        one.agree(state)
        one.end()


def test_7_the_limit_is_kept_in_both_directions(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        one.gateway.push(ANN, bytes(1001))
        one.settle()
        assert one.path().read_bytes() == b"a"
        one.write(bytes(1001))
        assert ANN in one.cloud.claims()
        assert one.states.look(ANN)[0].pending is None


def test_8_a_checksum_is_told_as_hexadecimal_digits_while_others_write() -> None:
    with open_storage(service_state) as storage:
        keys = [storage.key(1, Service="nav", Users=f'["{n}"]') for n in range(20)]
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                for _, row in storage.facade.read(storage.prefix(1)):
                    assert row.Checksum == checksum_of(row.State).hex()

        reader = threading.Thread(target=read)
        reader.start()
        for key in keys:
            storage.insert(key, {"State": repr(key).encode()})
        done.set()
        reader.join()
        assert len(list(storage.facade.read(storage.prefix(1)))) == 20


def test_9_watches_and_timers_end_whole_while_there_are_changes(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        stop = threading.Event()
        thread = threading.Thread(target=one.states.run, args=(stop,))
        thread.start()
        for number in range(30):
            claim = ClaimId(1, "nav", f'["{number}"]')
            one.states.change({claim: Change(state=b"a")})
            one.path(claim).write_bytes(b"b")
            one.states.change({claim: Change(removed=True)})
        stop.set()
        one.states.wake()
        thread.join()
        assert one.states.claims() == []
        assert len(one.states._watched) == 0
        one.passes(20.0)
        assert one.states._timing._times._looks == {}


def test_10_a_limit_of_0_removes_nothing_and_can_be_taken_back(tmp_path: Path) -> None:
    with unit(tmp_path) as one:
        one.make(state=b"a")
        one.states.change({ANN: Change(limit=0)})
        one.write(b"b")
        assert one.cloud.state(ANN) == b"a"
        assert one.path().read_bytes() == b"b"
        one.states.change({ANN: Change(limit=1000)})
        one.passes(1.0)
        one.agree(b"b")


def test_11_a_torn_file_of_a_service_is_kept_and_no_write_of_ours_tears_one(tmp_path: Path) -> None:
    """That no crash tears ours is tested with kill -9 at every moment, with the file."""
    with unit(tmp_path) as one:
        one.make(state=b"whole state")
        before = one.path().stat().st_ino
        one.gateway.push(ANN, b"another whole state")
        one.settle()
        assert one.path().stat().st_ino != before
        one.path().write_bytes(b"another wh")
        one.states.starting(ANN)
        one.settle()
        one.agree(b"another whole state")
        assert ("local", b"another wh") in one.kept()
