"""While a version is tried in some partitions, each runs what is current there, and failures are counted."""

from __future__ import annotations

import threading

import pytest

from statehold.hosting import Canary
from statehold.processing import ExtensionError, ProcessingError
from statehold.sdk import DeployError
from statehold.testing import FakeClock

APP = "acme.shop"
MORE = """
COMMAND Version RETURNS any;
QUERY Versions RETURNS any;
"""
CODE = """
@extension
def version(call):
    return {{"version": {0!r}}}

@extension
def versions(call):
    yield {{"version": {0!r}}}
"""
NEW = "PROJECTOR Extra AFTER INSERT ON Sale STATE(sys.Event);\n"
NEW_CODE = """
@extension
def extra(call):
    probe.call("extra", call)
"""

TOLD_APART = """
class Second:
    def call(self, name, what, probe=probe):
        probe.call(name + " of 2", what)

probe = Second()
"""


@pytest.fixture
def clock():
    return FakeClock(1_700_000_000.0)


@pytest.fixture
def shop(open_shop, clock):
    return open_shop(host={"clock": clock}, extensions=MORE, code=CODE.format("1"))


@pytest.fixture
def second(image):
    return image("2", extensions=MORE + NEW, code=CODE.format("2") + NEW_CODE)


def trying(shop, clock, image, act):
    """Deploy *image* as a canary, do something meanwhile, and let its time pass."""
    done = []

    def progress(step):
        if step.stage == "canary" and not done:
            done.append(True)
            act()
            clock.advance(31)

    return shop.host.deploy(image, canary=Canary(share=0.5), progress=progress)


def versions(shop):
    """Return which version answers a command and a query in the workspaces 1 to 4."""
    requests = [shop.request(workspace) for workspace in range(1, 5)]
    commands = [shop.runtime.command(one, "shop.Version").result["version"] for one in requests]
    queries = [shop.runtime.query(one, "shop.Versions")[0]["version"] for one in requests]
    assert commands == queries
    return "".join(commands)


def outcomes(shop, number):
    with shop.host.app(APP).borrow(number) as partition:
        return partition.outcomes.calls, partition.outcomes.failures


def test_each_partition_answers_with_the_version_that_is_current_there(shop, clock, second):
    seen = []
    trying(shop, clock, second, lambda: seen.append(versions(shop)))
    assert seen == ["1212"]
    assert versions(shop) == "2222"


def test_each_partition_runs_the_projectors_of_the_version_that_is_current_there(shop, clock, second, probe):
    seen = []

    def act():
        for workspace in range(1, 5):
            shop.sell("pen", workspace=workspace)
        assert shop.caught_up()
        seen.extend(lag.partition for lag in shop.runtime.lags() if lag.projector == "shop.Extra")
        seen.append(probe.calls.count("extra"))

    trying(shop, clock, second, act)
    assert seen == [0, 2]
    assert shop.caught_up()
    assert probe.calls.count("extra") == 4


def test_jobs_run_in_the_version_that_is_current_in_the_partition_of_their_workspace(
    shop, clock, image, probe
):
    second = image("2", extensions=MORE, code=CODE.format("2") + TOLD_APART)

    def act():
        for workspace in (1, 2):
            shop.runtime.run_job(APP, "shop.Tick", workspace)
        assert (probe.calls.count("tick"), probe.calls.count("tick of 2")) == (1, 1)

    trying(shop, clock, second, act)


def test_a_canary_whose_extensions_fail_is_rolled_back_by_itself(shop, clock, second):
    def act():
        for _ in range(3):
            with pytest.raises(ExtensionError):
                shop.sell(workspace=2, mode="fail")

    with pytest.raises(DeployError, match="was rolled back"):
        trying(shop, clock, second, act)
    assert versions(shop) == "1111"


def test_what_clients_ask_for_in_vain_is_no_failure_of_a_canary(shop, clock, second):
    def act():
        for ask in (
            lambda: shop.sell(workspace=2, mode="refuse"),
            lambda: shop.sell(workspace=2, amount="many"),
            lambda: shop.runtime.query(shop.request(2), "shop.Nowhere"),
            lambda: shop.runtime.query(shop.request(2), "shop.Numbers", {"Count": "x"}),
            lambda: shop.sell(workspace=2, principal=None),
        ):
            with pytest.raises(ProcessingError):
                ask()
        assert outcomes(shop, 0)[1] == 0

    trying(shop, clock, second, act)
    assert versions(shop) == "2222"


def test_a_failing_query_or_job_is_a_failure(shop, probe, quiet):
    def fail(_):
        raise ValueError("told to fail")

    before = outcomes(shop, 1)[1]
    probe.hooks["numbers"] = fail
    with pytest.raises(ExtensionError):
        shop.runtime.query(shop.request(1), "shop.Numbers", {"Count": 1})
    assert outcomes(shop, 1)[1] == before + 1
    probe.hooks["tick"] = fail
    with pytest.raises(ExtensionError):
        shop.runtime.run_job(APP, "shop.Tick", 1)
    assert outcomes(shop, 1)[1] == before + 2


def test_a_failing_projector_is_a_failure(open_shop, probe, quiet):
    shop, tries = open_shop(), threading.Semaphore(0)

    def fail(_):
        tries.release()
        raise ValueError("told to fail")

    before = outcomes(shop, 1)[1]
    probe.hooks["announce"] = fail
    shop.sell()
    # Whoever tries again has counted what failed before.
    assert all(tries.acquire(timeout=60) for _ in range(3))
    assert outcomes(shop, 1)[1] >= before + 2


def test_a_client_that_leaves_is_no_failure(shop):
    class LeftError(Exception):
        status = 499

    def sink(_):
        raise LeftError

    before = outcomes(shop, 1)[1]
    with pytest.raises(ProcessingError):
        shop.runtime.query(shop.request(1), "shop.Numbers", {"Count": 1}, sink=sink)
    assert outcomes(shop, 1)[1] == before
