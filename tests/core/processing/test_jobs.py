from __future__ import annotations

import threading

import pytest

from statehold.processing import ConflictError, ExtensionError, Meter, UnknownError
from statehold.processing._share import Share
from statehold.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock(1_700_000_000.0)


@pytest.fixture
def timed(open_shop, clock):
    return open_shop(runtime={"clock": clock}, host={"clock": clock}, workspaces=2)


def status(shop, workspace=1):
    (found,) = [one for one in shop.runtime.jobs("acme.shop") if one.workspace == workspace]
    return found


def turn(shop, clock, seconds):
    """Turn the clock, and wait until the jobs that are due have run."""
    clock.advance(seconds)
    shop.runtime.tick()
    while any(one.running for one in shop.runtime.jobs()):
        shop.runtime.wait_for_projectors(timeout=0)


def test_a_job_runs_when_it_is_due_in_each_workspace_of_the_app(timed, clock):
    turn(timed, clock, 59)
    assert timed.rows("Beats") == {}
    turn(timed, clock, 1)
    for workspace in (1, 2):
        assert timed.rows("Beats", workspace)[1] == {"Zone": 1, "Number": 1, "At": 1_700_000_060, "Count": 1}
    for _ in range(3):
        turn(timed, clock, 60)
    assert timed.rows("Beats")[1]["Count"] == 4
    assert status(timed).due == 1_700_000_300
    assert status(timed).last == 1_700_000_240


def test_a_job_never_runs_twice_at_a_time_and_what_it_missed_is_reported(timed, clock, probe, quiet):
    began, go = threading.Event(), threading.Event()

    def slow(call):
        if call.workspace == 1:
            began.set()
            go.wait(60)

    probe.hooks["tick"] = slow
    clock.advance(60)
    timed.runtime.tick()
    assert began.wait(60)
    with pytest.raises(ConflictError, match=r"JOB shop\.Tick is running in workspace 1"):
        timed.runtime.run_job("acme.shop", "shop.Tick")
    for _ in range(3):
        clock.advance(60)
        timed.runtime.tick()
    assert status(timed).running
    del probe.hooks["tick"]
    go.set()
    turn(timed, clock, 0)
    assert timed.rows("Beats")[1]["Count"] == 2
    assert timed.rows("Beats")[1]["At"] == 1_700_000_240
    assert status(timed).missed == 2


def test_a_job_never_runs_beside_itself_while_its_app_is_taken_away_and_comes_back(
    timed, clock, probe, quiet, image
):
    began, go, most, running = threading.Event(), threading.Event(), [], []

    def slow(call):
        if call.workspace == 1:
            running.append(call)
            most.append(len(running))
            began.set()
            go.wait(20)
            running.remove(call)

    probe.hooks["tick"] = slow
    clock.advance(60)
    timed.runtime.tick()
    assert began.wait(60)
    timed.host.undeploy("acme.shop")
    timed.host.deploy(image("2", workspaces=2))
    timed.sell()
    with pytest.raises(ConflictError, match="is running"):
        timed.runtime.run_job("acme.shop", "shop.Tick")
    clock.advance(60)
    timed.runtime.tick()
    go.set()
    turn(timed, clock, 0)
    assert timed.rows("Beats")[1]["Count"] == 2
    assert set(most) == {1}


def test_what_was_due_while_no_host_ran_is_made_up_for_once(timed, clock, quiet):
    turn(timed, clock, 60)
    timed.runtime.close()
    clock.advance(330)
    again = timed.__class__(timed.host, timed.runtime.__class__(timed.host, clock=clock))
    turn(again, clock, 0)
    assert again.rows("Beats")[1] == {"Zone": 1, "Number": 1, "At": 1_700_000_360, "Count": 2}
    assert status(again).missed == 4
    again.runtime.close()


def test_a_job_that_fails_is_reported_and_waits_for_its_next_time(timed, clock, probe, quiet):
    def fail(_):
        raise ValueError("told to")

    probe.hooks["tick"] = fail
    turn(timed, clock, 60)
    assert "told to" in status(timed).problem
    assert timed.rows("Beats") == {}
    del probe.hooks["tick"]
    turn(timed, clock, 30)
    assert timed.rows("Beats") == {}
    turn(timed, clock, 30)
    assert timed.rows("Beats")[1]["Count"] == 1
    assert status(timed).problem == ""


def test_a_job_can_be_run_by_hand(timed, probe):
    timed.runtime.run_job("acme.shop", "shop.Tick", 2)
    assert timed.rows("Beats", 2)[1]["Count"] == 1
    assert timed.rows("Beats", 1) == {}

    def fail(_):
        raise ValueError("told to")

    probe.hooks["tick"] = fail
    with pytest.raises(ExtensionError, match="told to"):
        timed.runtime.run_job("acme.shop", "shop.Tick")
    for job, workspace in (("shop.Nope", 1), ("shop.Tick", 99)):
        with pytest.raises(UnknownError, match="runs no job"):
            timed.runtime.run_job("acme.shop", job, workspace)


def test_a_version_with_another_schedule_goes_by_that(timed, clock, image):
    turn(timed, clock, 60)
    timed.host.deploy(image("2", workspaces=2, extensions="JOB Slow '@every 1h' INTENTS(Wire);", code=SLOW))
    while len(timed.runtime.jobs()) < 4:
        timed.runtime.wait_for_projectors(timeout=0.01)
    assert {(one.job, one.workspace) for one in timed.runtime.jobs()} == {
        (f"shop.{job}", workspace) for job in ("Tick", "Slow") for workspace in (1, 2)
    }
    turn(timed, clock, 60)
    assert timed.rows("Beats")[1]["Count"] == 2


def test_a_job_that_the_new_version_lacks_and_that_is_due_before_it_is_known_is_no_run(
    open_shop, clock, image, monkeypatch, caplog
):
    meter = Ran()
    shop = open_shop(
        runtime={"clock": clock, "meter": meter},
        host={"clock": clock},
        extensions="JOB Slow '@every 1m' INTENTS(Wire);",
        code=SLOW,
        workspaces=1,
    )
    turn(shop, clock, 60)
    before = {one.job: one.last for one in shop.runtime.jobs()}
    ran = list(meter.jobs)
    with monkeypatch.context() as late:
        late.setattr(Share, "refresh", lambda share: None)
        shop.host.deploy(image("2", workspaces=1), accept_breaking=True)
        turn(shop, clock, 60)
        assert meter.jobs == [*ran, "shop.Tick"]
        found = {one.job: one for one in shop.runtime.jobs()}
        assert found["shop.Slow"].last == before["shop.Slow"]
        assert found["shop.Slow"].problem == ""
        with pytest.raises(UnknownError, match=r"runs no job 'shop\.Slow' any more"):
            shop.runtime.run_job("acme.shop", "shop.Slow")
    assert "Slow" not in caplog.text


class Ran(Meter):
    """Hears of the jobs that have run."""

    def __init__(self):
        self.jobs = []

    def job(self, app, name, workspace, seconds, *, ok):
        self.jobs.append(name)


SLOW = "\n\n@extension\ndef slow(call):\n    pass\n"


def test_a_runtime_that_is_to_run_no_jobs_has_none_and_runs_projectors(open_shop, clock):
    shop = open_shop(runtime={"clock": clock, "jobs": False}, host={"clock": clock})
    turn(shop, clock, 3600)
    assert shop.runtime.jobs() == ()
    assert shop.rows("Beats") == {}
    shop.sell()
    assert shop.caught_up()
    assert shop.rows("Turnover")
