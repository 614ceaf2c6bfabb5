"""A filesystem with all it stands on: started in order, stopped in reverse, and it outlives its machine."""

from __future__ import annotations

import errno
import random
import shutil
import threading

import pytest
from qsfs_stacks import LIMIT, bring_back, config, read, take_away, until, write

from statehold_qsfs.protection import FencedError, ZstorStore
from statehold_qsfs.stack import STEPS, Stack, StackError, restore_stack
from statehold_qsfs.stack._stack import _test_zstor, opened_zstor
from statehold_zdb.engine import ZdbError
from statehold_zstor.objects import Zstor

DATA = random.Random(6).randbytes(3_000_000)


def test_parts_start_in_order_and_each_is_tested_before_the_next(tmp_path):
    told = []
    with Stack(config(tmp_path), told=told.append) as stack:
        assert tuple(told) == STEPS
        write(stack.files, "/a", b"1")
        assert read(stack.files, "/a") == b"1"
    with pytest.raises(ZdbError):
        stack.engine["default"].get(b"")


def test_a_file_outlives_the_machine_once_it_was_synced_by_a_quorum(tmp_path):
    first = Stack(config(tmp_path, fsync="quorum", window=600.0))
    first.files.mkdir("/folder", 0o755)
    write(first.files, "/folder/large", DATA)
    write(first.files, "/folder/small", b"small")
    write(first.files, "/not-synced", b"1", sync=False)
    first.protection.close()  # nothing is sent any more, and then the machine is gone
    first.stop()
    shutil.rmtree(tmp_path / "machine")
    restored = restore_stack(config(tmp_path))
    assert restored.evicted
    with Stack(config(tmp_path, fsync="quorum")) as again:
        assert read(again.files, "/folder/large") == DATA
        assert read(again.files, "/folder/small") == b"small"
        assert not again.files.check(deep=True).problems
        write(again.files, "/folder/further", b"1")


def test_by_default_what_was_not_synced_is_in_the_store_within_the_window(tmp_path):
    first = Stack(config(tmp_path, window=1.0))
    write(first.files, "/a", DATA, sync=False)
    until(lambda: not first.files.statistics().dirty and not first.figures().pending_bytes)
    first.protection.close()  # nothing is sent any more, and then the machine is gone
    first.stop()
    shutil.rmtree(tmp_path / "machine")
    restore_stack(config(tmp_path))
    with Stack(config(tmp_path)) as again:
        assert read(again.files, "/a") == DATA
        assert not again.files.check().problems


def test_a_clean_stop_sends_the_last_bits_and_says_what_still_waits(tmp_path):
    stack = Stack(config(tmp_path, window=600.0))
    write(stack.files, "/a", DATA, sync=False)
    waited = []
    left = stack.stop(lambda figures: waited.append(figures.pending_bytes))
    assert waited[0] >= len(DATA)
    assert left.pending_bytes == waited[-1] == 0
    assert stack.stop() == left
    shutil.rmtree(tmp_path / "machine")
    restore_stack(config(tmp_path))
    with Stack(config(tmp_path)) as again:
        assert read(again.files, "/a") == DATA


def test_who_is_impatient_loses_nothing_it_is_sent_after_the_next_start(tmp_path):
    stack = Stack(config(tmp_path, window=600.0))
    take_away(tmp_path, 2)
    write(stack.files, "/a", DATA)
    give_up = threading.Event()
    left = stack.stop(lambda _: give_up.set(), give_up)
    assert left.pending_bytes >= len(DATA)
    bring_back(tmp_path, 2)
    with Stack(config(tmp_path)) as again:
        assert again.stop().pending_bytes == 0
    shutil.rmtree(tmp_path / "machine")
    restore_stack(config(tmp_path))
    with Stack(config(tmp_path)) as again:
        assert read(again.files, "/a") == DATA


def test_without_its_backends_nothing_starts_and_nothing_is_held(tmp_path):
    with Stack(config(tmp_path)) as stack:
        write(stack.files, "/a", b"1")
    take_away(tmp_path, 2)
    with pytest.raises(StackError, match="zstor does not start") as error:
        Stack(config(tmp_path))
    assert error.value.step == "zstor"
    bring_back(tmp_path, 2)
    with Stack(config(tmp_path)) as stack:
        assert read(stack.files, "/a") == b"1"


def test_a_part_that_fails_stops_those_before_it(tmp_path):
    with Stack(config(tmp_path, fsync="quorum")) as first:
        with pytest.raises(StackError, match="another process") as error:
            Stack(config(tmp_path, fsync="quorum"))
        assert error.value.step == "0-db"
        write(first.files, "/a", b"not fenced by the other")
    damaged = tmp_path / "machine" / "index" / "qsfs-meta" / "zdb-namespace"
    kept = damaged.read_bytes()
    damaged.write_bytes(b"{")
    with pytest.raises(StackError, match="zdb-namespace"):
        Stack(config(tmp_path))
    damaged.write_bytes(kept)
    with Stack(config(tmp_path)):
        pass


def test_a_sync_that_no_quorum_takes_is_an_error_of_input_and_output(tmp_path):
    with Stack(config(tmp_path, fsync="quorum", timeout=1.0)) as stack:
        take_away(tmp_path, 2)
        with pytest.raises(OSError, match="store did not take") as error:
            write(stack.files, "/a", b"1")
        assert error.value.errno == errno.EIO
        bring_back(tmp_path, 2)
        until(lambda: not stack.figures().pending_bytes)
        assert read(stack.files, "/a") == b"1"


def test_one_backend_that_is_lost_stops_nobody_from_reading_what_was_evicted(tmp_path):
    with Stack(config(tmp_path)) as stack:
        write(stack.files, "/a", DATA)
        until(lambda: not stack.figures().unsealed and not stack.figures().pending_bytes)
    shutil.rmtree(tmp_path / "machine")
    restore_stack(config(tmp_path))
    with Stack(config(tmp_path)) as stack:
        take_away(tmp_path, 1)
        assert read(stack.files, "/a") == DATA
        bring_back(tmp_path, 1)


def test_a_machine_whose_turn_is_over_writes_nothing_any_more(tmp_path):
    first = Stack(config(tmp_path, fsync="quorum", window=1.0))
    write(first.files, "/a", b"1")
    restore_stack(config(tmp_path, machine="other"))
    with pytest.raises(OSError, match="taken over") as error:
        write(first.files, "/a", b"2")
    assert error.value.errno == errno.EROFS
    until(lambda: all(namespace.settings.lock for namespace in first.engine))
    assert first.figures().fenced
    with Stack(config(tmp_path, machine="other")) as other:
        assert read(other.files, "/a") == b"1"
    first.stop()
    with pytest.raises(StackError, match="taken over"):
        Stack(config(tmp_path))


def test_backends_that_are_all_away_keep_nobody_from_working_here(tmp_path):
    with Stack(config(tmp_path)) as stack:
        write(stack.files, "/a", DATA)
        take_away(tmp_path, 3)
        write(stack.files, "/b", b"1" * 1000)
        assert read(stack.files, "/a") == DATA
        assert read(stack.files, "/b") == b"1" * 1000
        assert stack.files.statistics().files >= 3
        stack.files.rename("/b", "/c")
        stack.files.sync()
        until(lambda: stack.figures().problem)
        assert stack.figures().pending_bytes
        bring_back(tmp_path, 3)
        until(lambda: not stack.figures().pending_bytes)


def test_redundancy_that_a_write_lacked_comes_back_by_itself(tmp_path):
    with Stack(config(tmp_path, fsync="quorum", minimum=2)) as stack:
        take_away(tmp_path, 1)
        write(stack.files, "/a", DATA)
        assert stack.zstor.status().tickets
        bring_back(tmp_path, 1)
        until(lambda: not stack.zstor.status().tickets)
    with Stack(config(tmp_path, monitor=False)) as stack:
        assert read(stack.files, "/a") == DATA


def test_who_reads_what_is_far_away_and_slow_keeps_nobody_else_waiting(tmp_path):
    with Stack(config(tmp_path)) as stack:
        write(stack.files, "/far", DATA)
        until(lambda: not stack.figures().unsealed and not stack.figures().pending_bytes)
        data = stack.engine["qsfs-data"]
        for part in data.cut().parts:
            data.evict(part.number)
        write(stack.files, "/near", b"near")
        asked, go_on = threading.Event(), threading.Event()

        class Slow(ZstorStore):
            def read(self, name, offset=0, size=None):
                asked.set()
                assert go_on.wait(LIMIT)
                return super().read(name, offset, size)

        stack.protection.plugin.store = Slow(stack.zstor)
        found = []
        reader = threading.Thread(target=lambda: found.append(read(stack.files, "/far")))
        reader.start()
        assert asked.wait(LIMIT)
        assert read(stack.files, "/near") == b"near"
        write(stack.files, "/other", b"other")
        assert {each.name for each in stack.files.list("/")} >= {"far", "near", "other"}
        assert not found
        go_on.set()
        reader.join(LIMIT)
        assert found == [DATA]


def test_an_error_inside_ends_without_waiting_for_backends_that_are_away(tmp_path):
    def fail() -> None:
        with Stack(config(tmp_path)) as stack:
            take_away(tmp_path, 3)
            write(stack.files, "/a", b"1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    bring_back(tmp_path, 3)
    with Stack(config(tmp_path)) as stack:
        assert read(stack.files, "/a") == b"1"


def test_what_a_machine_whose_turn_is_over_cannot_write_any_more_is_told_at_its_end(tmp_path):
    first = Stack(config(tmp_path, window=600.0))
    restore_stack(config(tmp_path, machine="other"))
    with pytest.raises(FencedError):
        first.protection.barrier(LIMIT)
    until(lambda: all(namespace.settings.lock for namespace in first.engine))
    write(first.files, "/late", DATA, sync=False)
    with pytest.raises(StackError, match="not everything could be written"):
        first.stop()
    with pytest.raises(StackError, match="taken over"):  # and not: held by another process
        Stack(config(tmp_path))


def test_a_stop_that_is_interrupted_lets_go_of_everything(tmp_path):
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    stack = Stack(config(tmp_path, window=600.0))
    write(stack.files, "/a", b"1", sync=False)
    with pytest.raises(KeyboardInterrupt):
        stack.stop(interrupt)
    with Stack(config(tmp_path)) as again:
        assert read(again.files, "/a") == b"1"


def test_what_a_start_that_was_killed_has_stored_to_try_it_goes_with_the_next_one(tmp_path, monkeypatch):
    described = config(tmp_path)
    with monkeypatch.context() as killed:
        killed.setattr(Zstor, "delete", lambda *_: None)
        with opened_zstor(described) as zstor:
            _test_zstor(zstor)
            (probe,) = [each.key for each in zstor.list("qsfs/")]
    with Stack(described) as stack:
        until(lambda: probe not in {each.key for each in stack.zstor.list("qsfs/")})
