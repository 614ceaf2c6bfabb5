from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from pathlib import Path
from statistics import median

import pytest
from leaving import nothing_left

from statehold.sdk import Scope


def resident():
    """Return the memory that this process holds, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.fixture(autouse=True)
def frozen_heap():
    """Keep the heap of the test run out of the many garbage collections here."""
    gc.collect()
    gc.freeze()


THREADS = 8
#: Of deploys and roll-backs in the soak run; in the environment for a shorter one.
ROUNDS = int(os.environ.get("STATEHOLD_MEMORY_ROUNDS", "5000"))


@pytest.mark.parametrize(
    ("swaps", "calls"),
    [
        pytest.param(40, 20, id="6,400 calls"),
        pytest.param(1000, 125, id="1,000,000 calls", marks=pytest.mark.soak),
    ],
)
def test_no_call_fails_and_none_is_answered_by_a_freed_version_while_versions_are_swapped(
    host, kitchen, swaps, calls
):
    """Of *calls* in every one of 8 threads between one swap and the next."""
    images = [kitchen(version, parts=2) for version in "123"]
    host.deploy(images[0])
    app = host.app("acme.kitchen")
    # Some calls for every swap, so that busy threads do not hold up the one that swaps.
    due, failures, answered = threading.Semaphore(0), [], []

    def call(number):
        try:
            for _ in range(swaps * calls):
                due.acquire()
                with app.borrow(number % 2) as partition:
                    scada = partition.scoped("kitchen.Scada", Scope.QUERIES)
                    historian = partition.facades("kitchen.Show")["kitchen.Historian"]
                    answers = {scada.find(1, Device="oven").Reading, historian.find(1, Device="oven").Reading}
                    # Both storages of one borrowing are of one version, and neither has been freed.
                    assert len(answers) == 1, answers
                    assert partition.storage("kitchen.Scada").open
                    answered.append(answers.pop() // 1000)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    retired = []
    for swap in range(1, swaps + 1):
        retired.append(app.current)
        due.release(THREADS * calls)
        host.deploy(images[swap % 3])
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(answered) == swaps * THREADS * calls
    assert set(answered) == {1, 2, 3}
    assert [version.wait_freed(30).problems for version in retired] == [()] * swaps
    assert host.warnings == ()


def rounds(host, images, number):
    """Deploy, replace and undeploy, and return weak references to what ran."""
    gone = []
    for _ in range(number):
        versions = [host.deploy(image) for image in images]
        if host.app("acme.kitchen").kept:
            # There and back, as swaps.
            assert [host.rollback("acme.kitchen"), host.rollback("acme.kitchen")] == versions
        with host.app("acme.kitchen").borrow() as partition:
            storage = partition.storage("kitchen.Scada")
            facade = partition.scoped("kitchen.Scada", Scope.QUERIES)
            assert facade.find(1, Device="oven").Reading == 2000
        gone += [weakref.ref(storage), weakref.ref(type(storage)), weakref.ref(partition)]
        del partition, storage, facade
        host.undeploy("acme.kitchen")
        for version in versions:
            report = version.wait_freed(30)
            assert (report.problems, report.survivors) == ((), ())
        gone += map(weakref.ref, versions)
        del version, versions
    gc.collect()
    return [reference for reference in gone if reference() is not None]


@pytest.mark.parametrize("keep", [0, 1])
def test_nothing_of_a_replaced_version_stays_behind(open_host, kitchen, keep):
    host = open_host(keep=keep)
    images = [kitchen("1"), kitchen("2")]
    assert rounds(host, images, 10) == []
    grown = []
    for _ in range(3):
        before = resident()
        with nothing_left():
            assert rounds(host, images, 20) == []
        grown.append(resident() - before)
        # A leaked generation takes about 50 kB: the 40 of them would be 2 MB, each time.
        if grown[-1] < 1 << 20:
            return
    pytest.fail(f"grew by {grown} bytes")


@pytest.mark.soak
@pytest.mark.parametrize("keep", [0, 1])
def test_memory_stays_flat_over_thousands_of_rounds(open_host, kitchen, keep):
    """Of what it was early, by medians: Python and the C library ask for memory in steps of a MB and more.

    A generation that leaks takes about 50 kB, and each round has two of them.
    """
    host = open_host(keep=keep)
    images = [kitchen("1"), kitchen("2")]
    samples = []
    # In parts, because the weak references that prove it take 2 MB themselves.
    for _ in range(20):
        assert rounds(host, images, ROUNDS // 20) == []
        samples.append(resident() >> 10)
    early, late = median(samples[2:7]), median(samples[-5:])
    sys.stdout.write(f"\nkeep={keep}, {ROUNDS} rounds: {early} KiB, then {late} KiB, of {samples}")
    assert late - early < 4 << 10


def test_who_listens_hears_of_every_other_current_version(host, kitchen):
    heard = []
    forget = host.listen(lambda app: heard.append((app.name, app.current_or_none and app.current.name)))
    host.deploy(kitchen("1"))
    host.deploy(kitchen("2"))
    host.rollback("acme.kitchen")
    assert [app.name for app in host.running] == ["acme.kitchen"]
    host.undeploy("acme.kitchen")
    assert heard == [("acme.kitchen", one) for one in ("1", "2", "1", None)]
    assert host.running == ()
    forget()
    host.deploy(kitchen("1"))
    assert len(heard) == 4
