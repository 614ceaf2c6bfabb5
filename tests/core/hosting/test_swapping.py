from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from pathlib import Path

import pytest

from statehold.sdk import Scope


def resident():
    """Return the memory that this process holds, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.fixture(autouse=True)
def frozen_heap():
    """Keep the heap of the test run out of the many garbage collections here."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def fair_threads():
    """Let threads take turns often, so that busy ones do not hold up one that waits a lot."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("fair_threads")
def test_no_call_fails_and_none_is_answered_by_a_freed_version_while_versions_are_swapped(host, kitchen):
    host.deploy(kitchen("1", parts=2))
    host.deploy(kitchen("2", parts=2), activate=False)
    app = host.app("acme.kitchen")
    swapped, failures, calls = threading.Event(), [], [0] * 8

    def call(number):
        try:
            while not swapped.is_set() or calls[number] < 100:
                with app.borrow(number % 2) as partition:
                    scada = partition.scoped("kitchen.Scada", Scope.QUERIES)
                    historian = partition.facades("kitchen.Show")["kitchen.Historian"]
                    answers = {scada.find(1, Device="oven").Reading, historian.find(1, Device="oven").Reading}
                    # Both storages of one borrowing are of one version, and neither has been freed.
                    assert len(answers) == 1, answers
                    assert partition.storage("kitchen.Scada").open
                calls[number] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    retired = []
    for _ in range(50):
        for version in "21":
            retired.append(app.current)
            host.activate("acme.kitchen", version)
    swapped.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert min(calls) >= 100
    assert [version.wait_freed(10).problems for version in retired] == [()] * 100
    assert host.warnings == ()


def rounds(host, images, number):
    """Deploy, replace and undeploy, and return weak references to what ran."""
    gone = []
    for _ in range(number):
        versions = [host.deploy(image) for image in images]
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


def test_nothing_of_a_replaced_version_stays_behind(host, kitchen):
    images = [kitchen("1"), kitchen("2")]
    assert rounds(host, images, 20) == []
    threads, before = threading.active_count(), resident()
    assert rounds(host, images, 200) == []
    assert threading.active_count() <= threads
    # A leaked generation takes about 50 kB: 200 of them would be 10 MB.
    assert resident() - before < 4 << 20


@pytest.mark.soak
def test_memory_stays_flat_over_thousands_of_rounds(host, kitchen):
    images = [kitchen("1"), kitchen("2")]
    assert rounds(host, images, 500) == []
    before = resident()
    assert rounds(host, images, 4500) == []
    assert resident() - before < 4 << 20
