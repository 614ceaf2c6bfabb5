"""What is changed in a storage while another one takes its place, whoever changes it and when."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace

import pytest

from statehold.hosting._handover import Handover
from statehold.hosting._opened import OpenStorage
from statehold.hosting._relay import Relay
from statehold.images import Isolation
from statehold.sdk import DeployError, Field, Intent, StorageError
from statehold.state import compile_rows

LOGGER = logging.getLogger("test.relay")
KEY = (Field("Name", "text", required=True),)
OLD, NEW = (Field("Number", "int64"),), (Field("Number", "int64"), Field("Text", "text"))


class Box:
    """Rows in a dict, from the storage before if there is one."""

    def __init__(self, before=None, value=OLD):
        self.made = compile_rows("test.Box", KEY, value)
        self.rows = {} if before is None else {key.Name: row.Number for key, row in before.every()}
        self.refuses = set()
        self.gate = None

    def every(self):
        return [
            (self.made.Key(1, name), self.made.value(Number=number)) for name, number in [*self.rows.items()]
        ]

    def validate(self, items):
        for item in items:
            assert type(item.key) is self.made.Key
            assert type(item.value) is self.made.Value
            if item.key.Name in self.refuses:
                raise StorageError(f"{item.key.Name} is refused")

    def apply_batch(self, items):
        if self.gate is not None:
            self.gate()
        for item in items:
            self.rows[item.key.Name] = item.value.Number

    def free(self):
        pass


def opened(before=None, *, isolation=Isolation.SIDECAR, value=OLD, box=None):
    box = box or Box(before and before.impl, value)
    relay = Relay(box, "test.Box", isolation, box.made)
    work = SimpleNamespace()
    one = OpenStorage(
        name="test.Box",
        provider="Box",
        impl=box,
        work=work,
        logger=LOGGER,
        where="here",
        takes_over=True,
        relay=relay,
        freed=True,
    )
    return one, relay.through(lambda impl, items: impl.apply_batch(items))


def put(one, apply, name, number):
    rows = one.impl.made
    items = [Intent(rows.key(1, Name=name), rows.value(Number=number), is_new=True)]
    one.impl.validate(items)
    apply(one.impl, items)


def handover(timeout=30.0):
    return Handover("acme.app", timeout=timeout, logger=LOGGER)


@pytest.fixture
def pair():
    """A storage, and one that has taken over from it, without a swap so far."""
    old, apply = opened()
    put(old, apply, "a", 1)
    handing = handover()
    handing.note(0, old)
    put(old, apply, "noted early", 2)
    new, apply_new = opened(old)
    handing.join(0, old, new)
    return SimpleNamespace(old=old, new=new, apply=apply, apply_new=apply_new, handing=handing)


def yes():
    return True


def test_what_is_noted_is_given_at_the_swap_and_what_comes_late_is_in_both(pair):
    put(pair.old, pair.apply, "b", 3)
    assert "b" not in pair.new.impl.rows
    with pair.handing.swapping(has_happened=yes):
        assert pair.new.impl.rows == {"a": 1, "noted early": 2, "b": 3}
    pair.handing.end()
    put(pair.old, pair.apply, "late", 4)
    assert pair.new.impl.rows["late"] == pair.old.impl.rows["late"] == 4
    put(pair.new, pair.apply_new, "own", 5)
    assert "own" not in pair.old.impl.rows


def test_many_rows_are_given_before_the_swap(pair):
    for number in range(500):
        put(pair.old, pair.apply, str(number), number)
    pair.handing.give()
    assert len(pair.new.impl.rows) == 502


def test_rows_of_one_process_are_given_at_the_swap_alone_for_they_may_be_the_same_objects():
    old, apply = opened(isolation=Isolation.INPROCESS)
    handing = handover()
    handing.note(0, old)
    new, _ = opened(old, isolation=Isolation.INPROCESS)
    handing.join(0, old, new)
    for number in range(500):
        put(old, apply, str(number), number)
    handing.give()
    assert new.impl.rows == {}
    with handing.swapping(has_happened=yes):
        assert len(new.impl.rows) == 500


def test_a_swap_that_does_not_happen_leaves_all_as_it_was(pair):
    with pytest.raises(KeyboardInterrupt), pair.handing.swapping(has_happened=lambda: False):
        raise KeyboardInterrupt
    put(pair.old, pair.apply, "b", 3)
    assert "b" not in pair.new.impl.rows
    with pair.handing.swapping(has_happened=yes):
        assert pair.new.impl.rows["b"] == 3


def test_changes_wait_while_the_rest_is_given_and_are_in_both_after_it(pair):
    begun, ended = threading.Event(), threading.Event()

    def write():
        begun.set()
        put(pair.old, pair.apply, "b", 3)
        ended.set()

    thread = threading.Thread(target=write)

    def gate():
        pair.new.impl.gate = None
        thread.start()
        assert begun.wait(30)
        assert not ended.wait(0.05)

    put(pair.old, pair.apply, "rest", 2)
    pair.new.impl.gate = gate
    with pair.handing.swapping(has_happened=yes):
        pass
    assert ended.wait(30)
    thread.join(30)
    assert pair.new.impl.rows["b"] == 3


def test_a_change_that_was_under_way_before_anything_was_noted_is_waited_for_and_given():
    old, apply = opened()
    entered, go = threading.Event(), threading.Event()

    def gate():
        entered.set()
        assert go.wait(30)

    old.impl.gate = gate
    thread = threading.Thread(target=put, args=(old, apply, "slow", 1))
    thread.start()
    assert entered.wait(30)
    old.impl.gate = None
    handing = handover()
    handing.note(0, old)
    new, _ = opened(old)
    handing.join(0, old, new)
    assert new.impl.rows == {}
    threading.Timer(0.05, go.set).start()
    with handing.swapping(has_happened=yes):
        assert new.impl.rows == {"slow": 1}
    thread.join(30)


def test_a_change_that_begins_just_when_the_new_storage_becomes_current_is_in_both(pair):
    """It has found that there is more to do than to change, and nothing noted any more, and no heir yet."""
    relay, apply_batch = pair.old.relay, pair.old.impl.apply_batch

    def swap_first(items):
        pair.old.impl.apply_batch = apply_batch
        relay._under_way.clear()
        with pair.handing.swapping(has_happened=yes):
            pass
        relay._under_way.append(None)
        apply_batch(items)

    relay._noted = None
    pair.old.impl.apply_batch = swap_first
    put(pair.old, pair.apply, "b", 3)
    assert pair.new.impl.rows["b"] == pair.old.impl.rows["b"] == 3


def test_a_change_that_hangs_keeps_a_version_from_becoming_current():
    old, apply = opened()
    entered, go = threading.Event(), threading.Event()

    def gate():
        entered.set()
        assert go.wait(30)

    old.impl.gate = gate
    thread = threading.Thread(target=put, args=(old, apply, "slow", 1))
    thread.start()
    assert entered.wait(30)
    handing = handover(timeout=0.05)
    handing.note(0, old)
    new, _ = opened(old)
    handing.join(0, old, new)
    with pytest.raises(DeployError, match="is under way for so long"), handing.swapping(has_happened=yes):
        raise AssertionError("swapped all the same")
    handing.end()
    go.set()
    thread.join(30)


@pytest.mark.parametrize("step", ["_heir", "_noted"])
def test_a_change_that_is_made_between_two_steps_of_a_swap_is_in_both(pair, step):
    threads = []

    class Stepped(Relay):
        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name == step and (value is None) is (step == "_noted"):
                threads.append(threading.Thread(target=put, args=(pair.old, pair.apply, "b", 3)))
                threads[0].start()
                # It ends at once, or waits for the end of the swap.
                threads[0].join(0.2)

    pair.old.relay.__class__ = Stepped
    with pair.handing.swapping(has_happened=yes):
        pass
    threads[0].join(30)
    assert len(threads) == 1
    assert pair.new.impl.rows["b"] == pair.old.impl.rows["b"] == 3


def test_a_storage_that_raises_while_the_rest_is_given_is_named_and_no_secret_is_told():
    old, apply = opened()
    handing = Handover(
        "acme.app", timeout=30.0, logger=LOGGER, redact=lambda text: text.replace("hush", "***")
    )
    handing.note(0, old)
    new, _ = opened(old)
    handing.join(0, old, new)
    put(old, apply, "b", 3)

    def fail():
        raise KeyError("hush")

    new.impl.gate = fail
    told = r"test\.Box .*could not be given what was written meanwhile: KeyError: '\*\*\*'"
    with pytest.raises(DeployError, match=told), handing.swapping(has_happened=yes):
        raise AssertionError("swapped all the same")


def test_a_storage_that_fails_while_the_rest_is_given_does_not_become_current():
    """It is started again meanwhile, and takes what is given, without the rows that it had taken over."""
    old, apply = opened()
    box = Box(old.impl)
    box.life = 1
    new, _ = opened(box=box)
    handing = handover()
    handing.note(0, old)
    handing.join(0, old, new)
    put(old, apply, "b", 3)

    def fail():
        box.life = 2

    box.gate = fail
    with pytest.raises(DeployError, match="so has lost them"), handing.swapping(has_happened=yes):
        raise AssertionError("swapped all the same")


def test_a_change_that_hangs_while_it_is_noted_keeps_no_deploy_from_ending():
    old, apply = opened()
    handing = handover(timeout=0.05)
    handing.note(0, old)
    new, _ = opened(old)
    handing.join(0, old, new)
    for number in range(100):
        put(old, apply, str(number), number)
    entered, go = threading.Event(), threading.Event()

    def gate():
        entered.set()
        assert go.wait(30)

    old.impl.gate = gate
    thread = threading.Thread(target=put, args=(old, apply, "slow", 1))
    thread.start()
    assert entered.wait(30)
    try:
        with pytest.raises(DeployError, match="is under way for so long"):
            handing.give()
        with pytest.raises(DeployError, match="is under way for so long"), handing.swapping(has_happened=yes):
            raise AssertionError("swapped all the same")
        handing.end()
        # Nor does it stop the next one.
        handing.note(0, old)
        handing.end()
    finally:
        go.set()
        thread.join(30)


def test_a_change_in_flight_ends_though_what_became_current_after_it_was_freed(pair):
    """As when the whole app is taken away: nobody is left who could lack it."""
    with pair.handing.swapping(has_happened=yes):
        pass
    pair.handing.end()
    pair.new.relay.close()
    put(pair.old, pair.apply, "late", 2)
    assert pair.old.impl.rows["late"] == 2


def test_a_row_that_is_refused_is_named_and_the_others_are_given(pair):
    put(pair.old, pair.apply, "b", 3)
    put(pair.old, pair.apply, "c", 4)
    pair.new.impl.refuses.add("b")
    swapping = pair.handing.swapping(has_happened=yes)
    with pytest.raises(DeployError, match=r"refuses 1 of the rows .*: b is refused"), swapping:
        raise AssertionError("swapped all the same")
    assert pair.new.impl.rows["c"] == 4
    pair.handing.end()
    put(pair.old, pair.apply, "d", 5)
    assert pair.old.impl.rows["d"] == 5


def test_a_late_change_that_the_new_storage_refuses_is_not_acknowledged(pair):
    with pair.handing.swapping(has_happened=yes):
        pair.new.impl.refuses.add("late")
    with pytest.raises(StorageError, match="late is refused"):
        put(pair.old, pair.apply, "late", 1)


def test_another_value_of_the_new_version_gets_the_fields_that_it_has():
    old, apply = opened()
    handing = handover()
    handing.note(0, old)
    new, _ = opened(old, value=NEW)
    handing.join(0, old, new)
    put(old, apply, "b", 3)
    with handing.swapping(has_happened=yes):
        assert new.impl.rows == {"b": 3}


def test_another_key_has_nothing_to_hand_over_and_that_is_told(caplog):
    old, apply = opened()
    other = Box()
    other.made = compile_rows("test.Box", (Field("Other", "text", required=True),), OLD)
    new, _ = opened(box=other)
    handing = handover()
    handing.note(0, old)
    handing.join(0, old, new)
    put(old, apply, "b", 3)
    with handing.swapping(has_happened=yes):
        pass
    put(old, apply, "c", 3)
    assert new.impl.rows == {}
    assert "may be lost: the KEY of test.Box is another one" in caplog.text


def test_a_storage_that_cannot_be_given_anything_is_told(caplog):
    old, _ = opened()
    new, _ = opened(old)
    new.relay = None
    handing = handover()
    handing.note(0, old)
    handing.join(0, old, new)
    assert "may be lost: test.Box cannot be written without its call" in caplog.text


class Shared(Box):
    """Has the same rows as the storage before."""

    def __init__(self, before=None):
        super().__init__()
        self.times = 0
        if before is not None:
            self.rows = before.rows

    def shares_with(self, existing):
        return existing.rows is self.rows

    def apply_batch(self, items):
        self.times += 1
        super().apply_batch(items)


def followed(old, handing, box=None):
    handing.note(0, old)
    new, apply = opened(old, box=box)
    handing.join(0, old, new)
    return new, apply


def test_what_shares_its_rows_is_given_nothing_and_changed_once():
    first, apply = opened(box=Shared())
    handing = handover()
    second, _ = followed(first, handing, Shared(first.impl))
    put(first, apply, "a", 1)
    with handing.swapping(has_happened=yes):
        assert second.impl.times == 0
    handing.end()
    put(first, apply, "late", 2)
    assert (first.impl.times, second.impl.times) == (1, 1)
    assert first.impl.rows == second.impl.rows == {"a": 1, "late": 2}


def test_what_is_changed_two_versions_ago_is_in_the_one_that_is_current():
    first, apply = opened(box=Shared())
    handing = handover()
    second, _ = followed(first, handing, Shared(first.impl))
    with handing.swapping(has_happened=yes):
        pass
    handing.end()
    third, _ = followed(second, handing)
    put(first, apply, "noted", 1)
    with handing.swapping(has_happened=yes):
        assert third.impl.rows == {"noted": 1}
    handing.end()
    second.relay.close()
    put(first, apply, "late", 2)
    assert third.impl.rows == {"noted": 1, "late": 2}


def test_what_shares_its_rows_is_swapped_back_after_a_trial():
    first, apply = opened(box=Shared())
    handing = handover()
    second, apply_second = followed(first, handing, Shared(first.impl))
    with handing.swapping((0,), has_happened=yes, on_trial=True):
        pass
    put(second, apply_second, "tried", 1)
    with handing.swapping_back():
        pass
    handing.end()
    put(second, apply_second, "late", 2)
    put(first, apply, "own", 3)
    assert first.impl.rows == {"tried": 1, "late": 2, "own": 3}


def test_what_is_on_trial_gives_back_what_it_got(pair):
    with pair.handing.swapping((0,), has_happened=yes, on_trial=True):
        pass
    put(pair.new, pair.apply_new, "tried", 1)
    put(pair.old, pair.apply, "late", 2)
    with pair.handing.swapping_back():
        assert pair.old.impl.rows["tried"] == 1
    pair.handing.end()
    put(pair.new, pair.apply_new, "later", 3)
    put(pair.old, pair.apply, "own", 4)
    assert pair.old.impl.rows == {"a": 1, "noted early": 2, "tried": 1, "late": 2, "later": 3, "own": 4}
    assert "own" not in pair.new.impl.rows


@pytest.fixture
def kept(pair):
    """The same two after the swap, with a hand-over for the way back."""
    with pair.handing.swapping(has_happened=yes):
        pass
    pair.handing.end()
    pair.handing = handover()
    return pair


def resume(kept):
    kept.handing.note(0, kept.new, kept.old)
    kept.old.impl.rows = dict(kept.new.impl.rows)
    kept.handing.join(0, kept.new, kept.old)


def swap(kept):
    with kept.handing.swapping(has_happened=yes):
        pass
    kept.handing.end()


def test_a_change_in_flight_is_not_made_again_after_a_roll_back_over_what_came_later(kept):
    is_there, goes_on = threading.Event(), threading.Event()
    validate = kept.new.impl.validate

    def wait(items):
        is_there.set()
        assert goes_on.wait(60)
        validate(items)

    kept.new.impl.validate = wait
    in_flight = threading.Thread(target=put, args=(kept.old, kept.apply, "x", 1))
    in_flight.start()
    assert is_there.wait(60)
    back = threading.Thread(target=lambda: (resume(kept), swap(kept)))
    back.start()
    back.join(0.2)
    if back.is_alive():  # it waits for that change
        goes_on.set()
        back.join(60)
    put(kept.old, kept.apply, "x", 2)
    goes_on.set()
    in_flight.join(60)
    assert kept.old.impl.rows["x"] == 2


def test_a_change_in_flight_while_a_version_resumes_is_made_in_what_is_current_which_gives_it(kept):
    resume(kept)
    put(kept.old, kept.apply, "late", 3)
    assert kept.new.impl.rows["late"] == 3
    assert "late" not in kept.old.impl.rows
    swap(kept)
    assert kept.old.impl.rows["late"] == 3


def test_a_change_in_flight_that_left_itself_to_what_is_current_is_not_lost_by_a_roll_back_just_then(kept):
    resume(kept)
    validate = kept.new.impl.validate

    def swap_first(items):
        kept.new.impl.validate = validate
        swap(kept)
        validate(items)

    kept.new.impl.validate = swap_first
    put(kept.old, kept.apply, "late", 3)
    assert kept.old.impl.rows["late"] == 3


def test_a_change_that_hangs_in_a_kept_version_keeps_nobody_from_rolling_back(kept):
    is_there, goes_on = threading.Event(), threading.Event()

    def hang():
        is_there.set()
        assert goes_on.wait(60)

    kept.old.impl.gate = hang
    in_flight = threading.Thread(target=put, args=(kept.old, kept.apply, "x", 1))
    in_flight.start()
    assert is_there.wait(60)
    kept.old.impl.gate = None
    kept.handing = handover(timeout=0.05)
    resume(kept)
    swap(kept)
    goes_on.set()
    in_flight.join(60)
    assert kept.old.impl.rows["x"] == 1


@pytest.mark.parametrize("rounds", [30, pytest.param(2000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("isolation", [Isolation.SIDECAR, Isolation.INPROCESS])
def test_nothing_acknowledged_is_lost_while_many_write_and_versions_come_and_go(isolation, rounds):
    """Each writer has keys of its own; some of them write to a version that was replaced long ago."""
    current = [opened(isolation=isolation)]
    acked = [{} for _ in range(3)]
    stop, errors = threading.Event(), []

    def write(number):
        mine, count = acked[number], 0
        borrowed = current[0]
        try:
            while not stop.is_set():
                # In flight over a swap or two.
                if count % (1 + 40 * number) == 0:
                    borrowed = current[0]
                count += 1
                name = f"{number} {count % 20}"
                put(*borrowed, name, count)
                mine[name] = count
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(acked))]
    for thread in threads:
        thread.start()
    for _ in range(rounds):
        before = current[0]
        handing = handover()
        handing.note(0, before[0])
        after = opened(before[0], isolation=isolation)
        handing.join(0, before[0], after[0])
        handing.give()
        with handing.swapping(has_happened=lambda after=after: current[0] is after):
            current[0] = after
        handing.end()
        known = {name: count for mine in acked for name, count in [*mine.items()]}
        rows = dict(after[0].impl.rows)
        assert {name: rows.get(name) for name, count in known.items() if rows.get(name, -1) < count} == {}
    stop.set()
    for thread in threads:
        thread.join(30)
    assert errors == []
    final = current[0][0].impl.rows
    assert {name: count for mine in acked for name, count in mine.items() if final[name] != count} == {}
