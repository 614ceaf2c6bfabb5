from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from statehold_aos._state._facts import Asked, Disk, Facts, Keep, Kind, Pending, Rule, Step, Why
from statehold_aos._state._protocol import Now, Protocol
from statehold_aos.gateway import (
    ClaimId,
    NewState,
    StateAcceptance,
    StateRequest,
    StateStatus,
    UpdateState,
    checksum_of,
)

CLAIM = ClaimId(1, "nav", '["ann"]')
NOW = Now(1_000_000, 5_000)
NEW = Facts(id=CLAIM, limit=100)
HAS_A = replace(NEW, accepted=checksum_of(b"a"), stamp=7)


def durable(facts: Facts) -> Facts:
    """Return what a restart leaves."""
    return replace(facts, tries=0, due=None)


def protocol(rule: Rule = Rule.CLOUD) -> Protocol:
    numbers = itertools.count(1)
    return Protocol(rule=rule, new_id=lambda: f"c{next(numbers)}")


def disk(state: bytes | None, changed: int = 0) -> Disk:
    return Disk(state, changed)


def answer(new: NewState, *, accepted: bool = True, **more) -> StateAcceptance:
    return StateAcceptance(
        claim=CLAIM, correlation=new.correlation, checksum=new.checksum, accepted=accepted, **more
    )


def update(state: bytes, **more) -> UpdateState:
    return UpdateState(claim=CLAIM, checksum=checksum_of(state), state=state, **more)


def changed(facts: Facts, state: bytes, rule: Rule = Rule.CLOUD) -> Step:
    step = protocol(rule).changed(facts, disk(state, 10), NOW)
    assert step is not None
    return step


def sent(step: Step) -> NewState:
    (message,) = step.send
    assert isinstance(message, NewState)
    return message


# -- The three diagrams ----------------------------------------------------------------------------------


def test_an_update_of_the_cloud_is_written_and_its_checksum_saved() -> None:
    step = protocol().updated(HAS_A, update(b"b", stamp=8), disk(b"a"), NOW)
    assert step is not None
    assert (step.write, step.facts.accepted, step.facts.stamp) == (b"b", checksum_of(b"b"), 8)
    assert step.keep == (Keep(Kind.ACCEPTED, b"b"),)
    assert step.send == (StateStatus(states=((CLAIM, checksum_of(b"b")),)),)


def test_a_change_is_sent_and_when_it_is_accepted_its_checksum_is_saved() -> None:
    step = changed(HAS_A, b"b")
    new = sent(step)
    assert (new.state, new.checksum, new.base) == (b"b", checksum_of(b"b"), 7)
    assert step.facts.accepted == checksum_of(b"a")
    done = protocol().answered(step.facts, answer(new, stamp=8), NOW)
    assert done is not None
    assert (done.facts.accepted, done.facts.pending, done.facts.stamp) == (checksum_of(b"b"), None, 8)
    assert (done.write, done.send, done.keep) == (None, (), (Keep(Kind.ACCEPTED, b"b"),))


@pytest.mark.parametrize("rule", Rule)
def test_a_change_that_is_rejected_is_kept_and_the_state_is_requested_and_written(rule: Rule) -> None:
    step = changed(HAS_A, b"b", rule)
    no = protocol(rule).answered(step.facts, answer(sent(step), accepted=False, reason="odd"), NOW)
    assert no is not None
    (request,) = no.send
    assert request == StateRequest(claim=CLAIM, correlation="c1")
    assert no.keep == (Keep(Kind.REJECTED, b"b"),)
    assert "odd" in no.facts.message
    back = protocol(rule).updated(no.facts, update(b"a", correlation="c1", stamp=7), disk(b"b", 99), NOW)
    assert back is not None
    assert (back.write, back.facts.accepted) == (b"a", checksum_of(b"a"))
    assert (back.facts.asked, back.facts.suspect, back.facts.message) == (None, None, "")


# -- Answers ---------------------------------------------------------------------------------------------


def test_an_answer_to_an_older_change_is_ignored() -> None:
    first = changed(HAS_A, b"b")
    assert first.facts.pending is not None
    second = protocol().changed(first.facts, disk(b"c"), Now(NOW.wall + 1, NOW.steady))
    assert second is not None
    assert second.facts.pending is not None
    newer = replace(second.facts, pending=replace(second.facts.pending, correlation="c2"))
    assert protocol().answered(newer, answer(sent(first)), NOW) is None
    assert protocol().answered(newer, answer(sent(first), accepted=False), NOW) is None


def test_an_answer_with_another_checksum_is_ignored() -> None:
    step = changed(HAS_A, b"b")
    wrong = replace(answer(sent(step)), checksum=checksum_of(b"x"))
    assert protocol().answered(step.facts, wrong, NOW) is None


def test_an_answer_that_comes_twice_counts_once() -> None:
    step = changed(HAS_A, b"b")
    yes = answer(sent(step))
    done = protocol().answered(step.facts, yes, NOW)
    assert done is not None
    assert protocol().answered(done.facts, yes, NOW) is None


def test_what_gets_no_answer_is_sent_again_ever_more_rarely_and_is_the_same() -> None:
    rules = Protocol(first=100, longest=1_000)
    step = rules.changed(HAS_A, disk(b"b"), NOW)
    assert step is not None
    new, facts, waits, at = sent(step), step.facts, [], NOW.steady
    for _ in range(7):
        assert facts.due is not None
        assert rules.due(facts, Now(NOW.wall, facts.due - 1)) is None
        waits.append(facts.due - at)
        at = facts.due
        again = rules.due(facts, Now(NOW.wall, at))
        assert again is not None
        assert again.send == (new,)
        assert durable(again.facts) == durable(facts)
        facts = again.facts
    assert waits == [100, 200, 400, 800, 1_000, 1_000, 1_000]
    back = rules.connected(facts, Now(NOW.wall, at))
    assert back is not None
    assert (back.send, back.facts.due) == ((new,), at + 100)


def test_a_new_change_replaces_what_waits_and_has_a_number_of_its_own() -> None:
    first = changed(HAS_A, b"b")
    rules = protocol()
    rules.new_id()
    second = rules.changed(first.facts, disk(b"c"), NOW)
    assert second is not None
    assert sent(second).state == b"c"
    assert sent(second).sequence > sent(first).sequence
    assert sent(second).correlation != sent(first).correlation


def test_numbers_grow_even_where_the_database_was_lost() -> None:
    assert sent(changed(NEW, b"b")).sequence >= NOW.wall


# -- Limits ----------------------------------------------------------------------------------------------


def test_a_change_over_the_limit_is_told_and_not_sent() -> None:
    for large in (disk(bytes(101)), Disk(None, size=10**12)):
        step = protocol().changed(HAS_A, large, NOW)
        assert step is not None
        assert step.send == ()
        assert "100 are allowed" in step.facts.message
        assert step.facts.pending is None
        assert protocol().changed(step.facts, large, NOW) is None
    assert sent(changed(HAS_A, bytes(100))).state == bytes(100)


def test_an_update_over_the_limit_is_not_taken_and_not_asked_for_again() -> None:
    step = protocol().updated(HAS_A, update(bytes(101), stamp=8), disk(b"a"), NOW)
    assert step is not None
    assert (step.write, step.facts.accepted) == (None, HAS_A.accepted)
    assert "101 bytes, 100 are allowed" in step.facts.message
    asking = replace(HAS_A, asked=Asked("c", Why.START), due=1)
    step = protocol().updated(asking, update(bytes(101), correlation="c"), disk(b"x"), NOW)
    assert step is not None
    assert (step.facts.asked, step.facts.due) == (None, None)


def test_an_update_with_a_wrong_checksum_is_not_taken_and_a_request_goes_on() -> None:
    asking = replace(HAS_A, asked=Asked("c", Why.START), due=1)
    torn = replace(update(b"b", correlation="c"), state=b"B")
    step = protocol().updated(asking, torn, disk(b"x"), NOW)
    assert step is not None
    assert (step.write, step.facts.asked, step.facts.due) == (None, asking.asked, 1)
    assert "wrong checksum" in step.facts.message


def test_a_claim_with_a_limit_of_0_has_no_state() -> None:
    none = replace(HAS_A, limit=0)
    assert protocol().changed(none, disk(b"b"), NOW) is None
    assert protocol().updated(none, update(b"b"), disk(b"a"), NOW) is None
    assert protocol().starting(none, disk(b"b"), NOW) == (None, True)


def test_what_waits_and_is_larger_than_a_new_limit_is_kept_and_not_sent() -> None:
    step = changed(HAS_A, bytes(90))
    less = protocol().limited(step.facts, 50)
    assert (less.facts.pending, less.facts.limit) == (None, 50)
    assert less.keep == (Keep(Kind.LOCAL, bytes(90)),)
    assert protocol().limited(step.facts, 95).facts.pending == step.facts.pending


# -- Starts ----------------------------------------------------------------------------------------------


def test_after_a_restart_what_waits_is_sent_again_and_nothing_is_requested() -> None:
    step = changed(HAS_A, b"b")
    back = durable(step.facts)
    assert protocol().opened(back, disk(b"b"), NOW) is None
    again = protocol().connected(back, NOW)
    assert again is not None
    assert again.send == step.send
    started, right = protocol().starting(back, disk(b"b"), NOW)
    assert right
    assert started is not None
    assert started.send == step.send


def test_what_changed_while_the_host_was_down_is_a_change() -> None:
    step = protocol().opened(HAS_A, disk(b"b"), NOW)
    assert step is not None
    assert sent(step).state == b"b"


def test_a_service_that_starts_with_a_wrong_state_has_the_cloud_asked_and_what_it_found_kept() -> None:
    step, right = protocol().starting(HAS_A, disk(b"torn"), NOW)
    assert not right
    assert step is not None
    assert step.send == (StateRequest(claim=CLAIM, correlation="c1"),)
    assert step.keep == (Keep(Kind.LOCAL, b"torn"),)
    assert step.write is None
    assert protocol().changed(step.facts, disk(b"torn"), NOW) is None
    assert protocol().starting(step.facts, disk(b"torn"), NOW) == (None, False)
    back = protocol().updated(step.facts, update(b"a", correlation="c1", stamp=7), disk(b"torn"), NOW)
    assert back is not None
    assert back.write == b"a"
    assert protocol().starting(back.facts, disk(b"a"), NOW) == (None, True)


def test_the_first_start_asks_for_the_state() -> None:
    step, right = protocol().starting(NEW, disk(None), NOW)
    assert not right
    assert step is not None
    assert isinstance(step.send[0], StateRequest)


def test_a_service_that_starts_with_a_wrong_state_gets_back_what_waits() -> None:
    step = changed(HAS_A, b"b")
    back, right = protocol().starting(step.facts, disk(b"torn"), NOW)
    assert right
    assert back is not None
    assert (back.write, back.keep) == (b"b", (Keep(Kind.LOCAL, b"torn"),))
    assert back.send == step.send


def test_a_file_that_is_gone_is_asked_for() -> None:
    step = protocol().changed(HAS_A, disk(None), NOW)
    assert step is not None
    assert isinstance(step.send[0], StateRequest)
    assert protocol().changed(NEW, disk(None), NOW) is None


def test_what_was_set_and_not_written_before_a_crash_is_written() -> None:
    step = protocol().set(HAS_A, b"b", disk(b"a"), NOW)
    assert step is not None
    assert step.write == b"b"
    again = protocol().opened(durable(step.facts), disk(b"later"), NOW)
    assert again is not None
    assert (again.write, again.keep) == (b"b", (Keep(Kind.LOCAL, b"later"),))
    assert again.facts.pending is not None
    assert not again.facts.pending.unwritten
    assert protocol().set(HAS_A, b"a", disk(b"a"), NOW) is None


# -- Both sides ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["waits", "on the disk", "unsent over what waits"])
def test_where_both_sides_have_changed_it_the_cloud_wins_and_the_other_is_kept(where: str) -> None:
    facts = HAS_A if where == "on the disk" else changed(HAS_A, b"b").facts
    on_disk = b"c" if where == "unsent over what waits" else b"b"
    step = protocol().updated(facts, update(b"u", stamp=8), disk(on_disk), NOW)
    assert step is not None
    assert (step.write, step.facts.accepted, step.facts.pending) == (b"u", checksum_of(b"u"), None)
    kept = {one.state for one in step.keep if one.kind is Kind.LOCAL}
    assert kept == {"waits": {b"b"}, "on the disk": {b"b"}, "unsent over what waits": {b"b", b"c"}}[where]


def test_where_both_sides_have_changed_it_the_service_wins_and_the_cloud_s_is_kept() -> None:
    facts = changed(HAS_A, b"b").facts
    step = protocol(Rule.LOCAL).updated(facts, update(b"u", stamp=8), disk(b"b"), NOW)
    assert step is not None
    assert (step.write, step.keep) == (None, (Keep(Kind.CLOUD, b"u"),))
    assert (sent(step).state, sent(step).base) == (b"b", 8)
    assert step.facts.accepted == checksum_of(b"u")


@pytest.mark.parametrize(("when", "wins"), [(9, b"b"), (11, b"u"), (None, b"u")])
def test_where_both_sides_have_changed_it_the_newest_wins(when: int | None, wins: bytes) -> None:
    facts = changed(HAS_A, b"b").facts
    step = protocol(Rule.NEWEST).updated(facts, update(b"u", stamp=8, changed=when), disk(b"b", 10), NOW)
    assert step is not None
    assert (step.write or sent(step).state) == wins


def test_an_update_that_is_what_waits_accepts_it() -> None:
    facts = changed(HAS_A, b"b").facts
    step = protocol().updated(facts, update(b"b", stamp=8), disk(b"b"), NOW)
    assert step is not None
    assert (step.write, step.facts.pending, step.facts.accepted) == (None, None, checksum_of(b"b"))


def test_a_change_of_this_side_that_the_cloud_took_before_a_newer_one_is_no_conflict() -> None:
    first = changed(HAS_A, b"b")
    second = protocol().changed(first.facts, disk(b"c"), NOW)
    assert second is not None
    step = protocol().updated(second.facts, update(b"b", stamp=8), disk(b"c"), NOW)
    assert step is not None
    assert (step.write, step.keep) == (None, ())
    assert (sent(step).state, sent(step).base) == (b"c", 8)


def test_an_answer_to_a_request_that_a_change_has_replaced_is_ignored() -> None:
    asked, _ = protocol().starting(NEW, disk(None), NOW)
    assert asked is not None
    step = protocol().changed(asked.facts, disk(b"b"), NOW)
    assert step is not None
    assert protocol().updated(step.facts, update(b"d", correlation="c1", stamp=3), disk(b"b"), NOW) is None


def test_where_the_cloud_took_what_had_given_way_it_is_asked() -> None:
    step = changed(HAS_A, b"b")
    taken = protocol().updated(step.facts, update(b"u", stamp=8), disk(b"b"), NOW)
    assert taken is not None
    late = protocol().answered(taken.facts, answer(sent(step), stamp=9), NOW)
    assert late is not None
    assert (late.write, late.facts.accepted) == (None, checksum_of(b"u"))
    assert isinstance(late.send[0], StateRequest)
    assert protocol().answered(taken.facts, answer(sent(step), stamp=7), NOW) is None


def test_an_update_that_comes_late_or_twice_changes_nothing() -> None:
    assert protocol().updated(HAS_A, update(b"a", stamp=7), disk(b"a"), NOW) is None
    assert protocol().updated(HAS_A, update(b"a", stamp=6), disk(b"a"), NOW) is None
    waiting = changed(HAS_A, b"b").facts
    assert protocol().updated(waiting, update(b"old", stamp=6), disk(b"b"), NOW) is None
    late = protocol().updated(HAS_A, update(b"old", stamp=6), disk(b"a"), NOW)
    assert late is not None
    assert (late.write, late.facts.accepted) == (None, HAS_A.accepted)
    assert isinstance(late.send[0], StateRequest)


def test_a_cloud_that_counts_anew_is_believed_once_it_was_asked() -> None:
    late = protocol().updated(HAS_A, update(b"new", stamp=3), disk(b"a"), NOW)
    assert late is not None
    step = protocol().updated(late.facts, update(b"new", stamp=3, correlation="c1"), disk(b"a"), NOW)
    assert step is not None
    assert (step.write, step.facts.stamp) == (b"new", 3)


def test_a_cloud_without_stamps_is_taken_at_its_word() -> None:
    plain = replace(HAS_A, stamp=0)
    step = protocol().updated(plain, update(b"b"), disk(b"a"), NOW)
    assert step is not None
    assert step.write == b"b"


def test_a_rejection_for_a_newer_state_goes_by_the_rule() -> None:
    step = changed(HAS_A, b"b", Rule.LOCAL)
    no = protocol(Rule.LOCAL).answered(step.facts, answer(sent(step), accepted=False, conflict=True), NOW)
    assert no is not None
    stands = protocol(Rule.LOCAL).updated(no.facts, update(b"u", correlation="c1", stamp=9), disk(b"b"), NOW)
    assert stands is not None
    assert (stands.write, sent(stands).state, sent(stands).base) == (None, b"b", 9)
    gives_way = protocol().updated(no.facts, update(b"u", correlation="c1", stamp=9), disk(b"b"), NOW)
    assert gives_way is not None
    assert gives_way.write == b"u"


def test_a_change_after_a_rejection_is_sent_and_not_overwritten() -> None:
    step = changed(HAS_A, b"b")
    no = protocol().answered(step.facts, answer(sent(step), accepted=False), NOW)
    assert no is not None
    assert protocol().changed(no.facts, disk(b"b"), NOW) is None
    better = protocol().changed(no.facts, disk(b"c"), NOW)
    assert better is not None
    assert sent(better).state == b"c"
    late = protocol().updated(better.facts, update(b"a", correlation="c1", stamp=7), disk(b"c"), NOW)
    assert late is None or late.write is None
    unseen = protocol().updated(no.facts, update(b"a", correlation="c1", stamp=7), disk(b"c"), NOW)
    assert unseen is not None
    assert unseen.write is None


def test_binary_states_are_states() -> None:
    state = bytes(range(100, 200))
    assert sent(changed(HAS_A, state)).state == state


def test_the_file_going_back_to_what_the_cloud_has_is_sent_while_another_one_waits() -> None:
    step = changed(HAS_A, b"b")
    back = protocol().changed(step.facts, disk(b"a"), NOW)
    assert back is not None
    assert sent(back).state == b"a"


def test_facts_name_no_state() -> None:
    assert "secret" not in repr(changed(HAS_A, b"secret"))
    assert "secret" not in repr(
        Pending(state=b"secret", checksum=b"", correlation="", sequence=0, base=0, changed=0)
    )
