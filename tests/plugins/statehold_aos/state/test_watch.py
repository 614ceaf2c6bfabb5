from __future__ import annotations

import mmap
import select
import shutil
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from unit import Unit

from statehold_aos._state._batch import Change
from statehold_aos._state._inotify import Inotify
from statehold_aos._state._watch import Quiet, Watch
from statehold_aos.gateway import ClaimId


@pytest.fixture
def watch():
    one = Watch()
    yield one
    one.close()


def test_each_way_to_change_the_file_is_seen_and_no_other_file(tmp_path: Path, watch: Watch) -> None:
    number = watch.add(tmp_path)
    state, other = tmp_path / "state.dat", tmp_path / "other"

    def seen() -> bool:
        return watch.read() == ({number}, False)

    state.write_bytes(b"a")
    assert seen()
    with state.open("ab") as file:
        file.write(b"b")
        file.flush()
        assert seen()
    assert seen()  # its end
    other.write_bytes(b"c")
    assert not seen()
    other.replace(state)
    assert seen()
    with state.open("r+b") as file, mmap.mmap(file.fileno(), 1) as mapped:
        mapped[0] = 65
    assert seen()
    state.unlink()
    assert seen()
    assert not seen()


def test_a_folder_that_is_gone_is_told_and_others_go_on(tmp_path: Path, watch: Watch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (watch.add(tmp_path / name) for name in ("one", "two"))
    shutil.rmtree(tmp_path / "one")
    assert watch.read() == ({one}, False)
    (tmp_path / "two" / "state.dat").write_bytes(b"a")
    assert watch.read() == ({two}, False)
    watch.drop(one)
    watch.drop(two)
    (tmp_path / "two" / "state.dat").write_bytes(b"b")
    assert two not in watch.read()[0]
    with pytest.raises(FileNotFoundError):
        watch.add(tmp_path / "one")


def test_many_share_one_instance_and_each_hears_of_its_own(tmp_path: Path) -> None:
    inotify = Inotify()
    watches = [Watch(inotify) for _ in range(3)]
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    one, two, three = watches
    numbers = [watch.add(folder) for watch, folder in zip(watches, folders, strict=True)]
    again = three.add(folders[0])
    assert again == numbers[0]
    for folder in folders:
        (folder / "state.dat").write_bytes(b"a")
    assert two.read() == ({numbers[1]}, False)  # and rings for the others
    for watch, found in ((one, {numbers[0]}), (three, {numbers[0], numbers[2]})):
        assert select.select([watch.descriptor], [], [], 30)[0] == [watch.descriptor]
        assert watch.read() == (found, False)
        assert watch.read() == (set(), False)
    one.close()
    (folders[0] / "state.dat").write_bytes(b"b")
    assert three.read() == ({numbers[0]}, False)
    three.drop(numbers[0])
    (folders[0] / "state.dat").write_bytes(b"c")
    shutil.rmtree(folders[2])
    assert three.read() == ({numbers[2]}, False)
    assert numbers[2] not in three
    for watch in (two, three):
        watch.close()
    afresh = Watch(inotify)
    number = afresh.add(folders[0])
    (folders[0] / "state.dat").write_bytes(b"d")
    assert afresh.read() == ({number}, False)
    afresh.close()


def test_the_descriptor_can_be_waited_for(tmp_path: Path, watch: Watch) -> None:
    watch.add(tmp_path)
    assert select.select([watch.descriptor], [], [], 0)[0] == []
    (tmp_path / "state.dat").write_bytes(b"a")
    assert select.select([watch.descriptor], [], [], 10)[0] == [watch.descriptor]


def test_a_change_is_looked_at_after_a_quiet_time_or_at_most_after_a_while() -> None:
    quiet = Quiet(seconds=1, most=10)
    assert quiet.touched("a", 0) == 1
    assert quiet.touched("a", 0.5) == 1.5
    assert quiet.touched("b", 0.7) == 1.7
    assert quiet.touched("a", 9.5) == 10
    quiet.done("a")
    assert quiet.touched("a", 20) == 21


def test_the_events_of_a_queue_that_ran_over_are_not_missed(tmp_path: Path, monkeypatch) -> None:
    one = Unit(tmp_path)
    states = one.start()
    one.make(state=b"a")
    read = states._watched._watch.read
    monkeypatch.setattr(states._watched._watch, "read", lambda: (read() and set(), True))
    one.path().write_bytes(b"b")
    states.turn()
    monkeypatch.undo()
    one.passes(1.0)
    one.agree(b"b")
    one.end()


def claims(count: int) -> list[ClaimId]:
    return [ClaimId(1, f"service {n % 100}", f'["user {n}"]') for n in range(count)]


def test_a_claim_that_is_idle_takes_less_than_2_kib(tmp_path: Path) -> None:
    one = Unit(tmp_path)
    states = one.start(online=False)
    tracemalloc.start()
    states.change({claim: Change() for claim in claims(50)})
    taken = []
    for begin in (50, 550, 1050):  # what other threads take meanwhile they do not take each time
        more = claims(begin + 500)[begin:]
        before, _ = tracemalloc.get_traced_memory()
        states.change({claim: Change() for claim in more})
        del more
        after, _ = tracemalloc.get_traced_memory()
        taken.append((after - before) / 500)
        if taken[-1] < 2048:
            break
    tracemalloc.stop()
    one.end()
    assert min(taken) < 2048


@pytest.mark.soak
def test_10_000_idle_claims_take_less_than_a_hundredth_of_a_core(tmp_path: Path) -> None:
    one = Unit(tmp_path)
    states = one.start(online=False)
    states.change({claim: Change() for claim in claims(10_000)})
    stop, used = threading.Event(), []

    def run() -> None:
        before = time.thread_time()
        states.run(stop)
        used.append(time.thread_time() - before)

    thread = threading.Thread(target=run)
    began = time.monotonic()
    thread.start()
    stop.wait(30)
    stop.set()
    states.wake()
    thread.join()
    one.end()
    assert used[0] / (time.monotonic() - began) < 0.01
