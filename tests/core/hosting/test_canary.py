"""A version is tried in some partitions first, and rolled back by itself where too many of its calls fail."""

from __future__ import annotations

import threading
from contextlib import ExitStack, nullcontext

import pytest

from statehold.hosting import Canary, VersionState
from statehold.sdk import DeployError, HostError

APP = "acme.kitchen"
PARTS = 10


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def now(self):
        return self.seconds

    def monotonic(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def host(open_host, clock, kitchen):
    host = open_host(clock=clock)
    host.deploy(kitchen("1", parts=PARTS))
    return host


def names(host):
    return "".join(version.name for version in host.app(APP).currents)


def count(host, number, calls, failures=0):
    with host.app(APP).borrow(number) as partition:
        partition.outcomes.add(calls, failures)


class During:
    """Hears of a deploy's progress, and does something the first time it is told of the canary."""

    def __init__(self, act):
        self.act = act
        self.steps = []

    def __call__(self, step):
        if step.stage == "canary" and not any(one.stage == "canary" for one in self.steps):
            self.act()
        self.steps.append(step)

    @property
    def figures(self):
        return [step.figures for step in self.steps if step.stage == "canary"]


def test_a_share_of_the_partitions_is_at_least_one_and_never_all():
    assert [list(Canary(share=share).partitions(10)) for share in (0, 0.1, 0.25)] == [[0], [0], [0, 1]]
    assert len(Canary(share=1).partitions(10)) == 9
    assert list(Canary(share=0.9).partitions(2)) == [0]


@pytest.mark.parametrize(
    "wrong", [{"share": 1.5}, {"share": -1}, {"errors": 2}, {"seconds": 0}, {"calls": 0}], ids=str
)
def test_what_no_canary_can_be_is_refused(wrong):
    with pytest.raises(ValueError, match=f"Canary: {next(iter(wrong))}: expected"):
        Canary(**wrong)


def test_a_canary_that_does_well_becomes_current_everywhere(host, clock, kitchen):
    seen = []

    def act():
        seen.append((names(host), host.app(APP).current.name, host.app(APP).version("2").state))
        count(host, 0, 200, 2)
        count(host, 5, 1000, 0)
        clock.seconds += 31

    during = During(act)
    version = host.deploy(kitchen("2", parts=PARTS), canary=Canary(share=0.3), progress=during)
    assert seen == [("2221111111", "1", VersionState.CANARY)]
    assert names(host) == "2222222222"
    assert version.state is VersionState.CURRENT
    assert during.figures[-1] == {
        "partitions": [0, 1, 2],
        "seconds": 31.0,
        "calls": 200,
        "failures": 2,
        "before": {"version": "1", "calls": 1000, "failures": 0},
    }


def test_a_canary_of_which_more_calls_fail_is_rolled_back_and_freed(host, clock, kitchen):
    first = host.app(APP).current

    def act():
        count(host, 0, 200, 10)
        count(host, 5, 1000, 20)
        clock.seconds += 31

    with pytest.raises(DeployError, match=r"10 of 200 calls failed \(5.00%\); of 1, 20 of 1000") as caught:
        host.deploy(kitchen("2", parts=PARTS), canary=Canary(), progress=During(act))
    assert "1 answers all calls again" in caught.value.hint
    assert names(host) == "1111111111"
    assert host.app(APP).versions == (first,)
    assert [one.version for one in host.apps()[0].versions] == ["1"]


def test_a_canary_may_fail_as_often_as_the_version_before_it(host, clock, kitchen):
    def act():
        count(host, 0, 200, 20)
        count(host, 5, 1000, 100)
        clock.seconds += 31

    host.deploy(kitchen("2", parts=PARTS), canary=Canary(), progress=During(act))
    assert names(host) == "2222222222"


def test_what_the_version_before_did_earlier_counts_where_nobody_calls_it_now(host, clock, kitchen):
    count(host, 5, 1000, 100)

    def act():
        count(host, 0, 200, 20)
        clock.seconds += 31

    host.deploy(kitchen("2", parts=PARTS), canary=Canary(), progress=During(act))
    assert names(host) == "2222222222"


def test_a_canary_is_rolled_back_at_once_when_nothing_can_save_it(host, kitchen):
    # The clock stands still: 3 failures are more than 2 of the 100 calls that are waited for.
    during = During(lambda: count(host, 0, 3, 3))
    with pytest.raises(DeployError, match="3 of 3 calls failed"):
        host.deploy(kitchen("2", parts=PARTS), canary=Canary(), progress=during)
    assert names(host) == "1111111111"


def test_two_failures_of_a_hundred_calls_are_waited_out(host, clock, kitchen):
    def act():
        count(host, 0, 100, 2)
        clock.seconds += 31

    host.deploy(kitchen("2", parts=PARTS), canary=Canary(), progress=During(act))
    assert names(host) == "2222222222"


def test_a_canary_that_nobody_calls_becomes_current(host, clock, kitchen):
    def act():
        clock.seconds += 31

    host.deploy(kitchen("2", parts=PARTS), canary=Canary(), progress=During(act))
    assert names(host) == "2222222222"


def test_ctrl_c_rolls_a_canary_back(host, kitchen):
    def act():
        assert names(host) == "2111111111"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        host.deploy(kitchen("2", parts=PARTS), canary=Canary(), progress=During(act))
    assert names(host) == "1111111111"


def test_calls_that_a_canary_has_taken_end_on_it_when_it_is_rolled_back(open_host, kitchen):
    host = open_host(pending_timeout=0.05)
    host.deploy(kitchen("1", parts=2))
    with ExitStack() as calls:
        entered = []

        def act():
            entered.append(calls.enter_context(host.app(APP).borrow(0)))
            entered.append(host.app(APP).version("2"))
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            host.deploy(kitchen("2", parts=2), canary=Canary(), progress=During(act))
        partition, version = entered
        assert names(host) == "11"
        assert partition.storage("kitchen.Scada").open
    assert version.wait_freed(60).problems == ()


def test_a_host_that_is_closed_ends_a_canary(open_host, clock, kitchen):
    host = open_host(clock=clock)
    host.deploy(kitchen("1", parts=2))
    begun, errors = threading.Event(), []

    def deploy():
        try:
            host.deploy(kitchen("2", parts=2), canary=Canary(), progress=During(begun.set))
        except HostError as error:
            errors.append(error.message)

    thread = threading.Thread(target=deploy)
    thread.start()
    assert begun.wait(30)
    host.close()
    thread.join(30)
    assert errors == ["the canary of acme.kitchen 2 was ended: the host is being closed"]


@pytest.mark.parametrize("is_good", [True, False])
def test_what_was_written_during_a_canary_is_taken_over_by_the_version_that_goes_on(
    host, clock, kitchen, caplog, is_good
):
    caplog.set_level("INFO", "statehold")

    def act():
        count(host, 0, 100, 0 if is_good else 100)
        clock.seconds += 31

    with nullcontext() if is_good else pytest.raises(DeployError):
        host.deploy(kitchen("2", parts=PARTS), canary=Canary(share=0.2), progress=During(act))
    resumed = {tuple(one.name.split(".")[3:5]) for one in caplog.records if one.message == "resume"}
    untried, tried = {("2", str(number)) for number in range(2, PARTS)}, {("1", "0"), ("1", "1")}
    assert resumed == (untried if is_good else tried)


def test_a_version_that_cannot_resume_after_a_canary_goes_on_and_that_is_told(host, kitchen, caplog):
    def act():
        host.app(APP).current.partitions[0].storage("kitchen.Scada").resume = fail
        raise KeyboardInterrupt

    def fail(_):
        raise ValueError("told to fail")

    with pytest.raises(KeyboardInterrupt):
        host.deploy(kitchen("2", parts=PARTS), canary=Canary(), progress=During(act))
    assert names(host) == "1111111111"
    assert "acme.kitchen 1 goes on without what 2 has written as a canary" in caplog.text


def test_a_canary_is_listed_as_one(host, clock, kitchen):
    seen = []

    def act():
        seen.extend(host.apps()[0].versions)
        clock.seconds += 31

    host.deploy(kitchen("2", parts=PARTS), canary=Canary(), progress=During(act))
    assert [(one.version, one.state.value, one.partitions) for one in seen] == [
        ("1", "current", PARTS),
        ("2", "canary", PARTS),
    ]


def test_a_roll_back_ends_a_canary(host, kitchen):
    first, ended = host.app(APP).current, []
    thread = threading.Thread(target=lambda: ended.append(host.rollback(APP)))
    with pytest.raises(DeployError, match=r"the canary of acme\.kitchen 2 was ended: it was rolled back"):
        host.deploy(kitchen("2", parts=PARTS), canary=Canary(), progress=During(thread.start))
    thread.join(30)
    assert ended == [first]
    assert names(host) == "1111111111"
    with pytest.raises(HostError, match="no version before"):
        host.rollback(APP)


def test_a_roll_back_of_a_canary_that_is_becoming_current_rolls_it_back_after_that(host, clock, kitchen):
    entries, asked, ended = host._deployed.entries, threading.Event(), []

    def ask(app):
        asked.set()
        return entries(app)

    thread = threading.Thread(target=lambda: ended.append(host.rollback(APP).name))

    def progress(step):
        if step.stage == "canary":
            clock.seconds += 31
        elif step.stage == "make" and not asked.is_set():
            host._deployed.entries = ask
            thread.start()
            assert asked.wait(30)

    host.deploy(kitchen("2", parts=PARTS), canary=Canary(), progress=progress)
    thread.join(30)
    assert ended == ["1"]
    assert names(host) == "1111111111"


def test_a_version_that_was_open_beside_stays_so_when_it_fails_as_a_canary(host, kitchen):
    image = kitchen("2", parts=PARTS)
    second = host.deploy(image, activate=False)
    with pytest.raises(DeployError):
        host.deploy(image, canary=Canary(), progress=During(lambda: count(host, 0, 100, 100)))
    assert host.app(APP).version("2") is second
    assert second.state is VersionState.READY
    with host.app(APP).borrow(version="2") as partition:
        assert partition.storage("kitchen.Scada").open


def test_one_partition_is_no_place_for_a_canary(open_host, kitchen):
    host = open_host()
    host.deploy(kitchen("1"))
    opened = []
    with pytest.raises(DeployError, match="needs two partitions"):
        host.deploy(kitchen("2"), canary=Canary(), progress=opened.append)
    assert [step.stage for step in opened] == ["verify"]


def test_the_first_version_needs_no_canary(open_host, kitchen):
    host, steps = open_host(), []
    host.deploy(kitchen("1"), canary=Canary(), progress=steps.append)
    assert "canary left out: no version answers calls yet" in steps
    assert host.app(APP).current.name == "1"


def test_a_swap_that_is_interrupted_has_happened_in_no_partition(host, kitchen):
    class Interrupted(dict):
        def __setitem__(self, number, version):
            if number == 7:
                raise KeyboardInterrupt
            super().__setitem__(number, version)

    app = host.app(APP)
    app._in_partition = Interrupted(app._in_partition)
    with pytest.raises(KeyboardInterrupt):
        host.deploy(kitchen("2", parts=PARTS))
    assert names(host) == "1111111111"
    assert [(one.version, one.state.value) for one in host.apps()[0].versions] == [("1", "current")]
    host.deploy(kitchen("3", parts=PARTS))
    assert names(host) == "3333333333"


def test_who_listens_hears_of_a_canary_when_it_begins_and_when_it_ends(host, kitchen):
    heard = []
    host.listen(lambda app: heard.append("".join(one.name for one in app.currents)))
    with pytest.raises(DeployError):
        host.deploy(
            kitchen("2", parts=PARTS), canary=Canary(share=0.2), progress=During(lambda: count(host, 1, 9, 9))
        )
    assert heard == ["2211111111", "1111111111"]
