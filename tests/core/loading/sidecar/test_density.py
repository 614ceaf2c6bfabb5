"""How many sidecars a host carries: memory, time, descriptors."""

from __future__ import annotations

import itertools
import os
import re
import resource
import select
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

import pytest
from leaving import open_files
from wild_use import pid_of, private

from statehold.loading.sidecar import Limits, Reason, SidecarError, Sidecars
from statehold.testing import open_storage

SIDECARS = 200


@pytest.fixture
def many_descriptors() -> Iterator[Callable[[int], None]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda count: resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def unused() -> Iterator[int]:
    """Return the numbers that no descriptor has, the lowest first."""
    for number in itertools.count():
        try:
            os.fstat(number)
        except OSError:
            yield number


def proportional(process: int) -> float:
    """Return the memory of a process, of what is shared its part, MiB."""
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


@pytest.mark.parametrize("versions", ["many", "one"])
@pytest.mark.parametrize("count", [3, pytest.param(SIDECARS, marks=pytest.mark.soak)])
def test_many_sidecars_take_six_descriptors_each(
    wild_file: Path, many_descriptors: Callable[[int], None], count: int, versions: str
) -> None:
    many_descriptors(
        min(open_files().total() + 8 * count + 256, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    times = []
    with Sidecars() as sidecars, ExitStack() as stack:
        sidecars.load_file(wild_file, owner="acme.first 1").free()
        before = open_files()
        opened = []
        for number in range(count):
            begun = perf_counter()
            if versions == "many" or not number:
                limits = Limits(partitions_per_process=1)
                plugin = sidecars.load_file(wild_file, owner=f"acme.app{number} 1", limits=limits)
                stack.enter_context(plugin)
            partition = number if versions == "one" else 0
            one = stack.enter_context(open_storage(plugin.providers["Wild"], partition=partition))
            assert one.facade.get(one.key(1, What="a")) is None
            times.append((perf_counter() - begun) * 1000)
            opened.append(one)
        each = (open_files() - before).total() / count
        # What they do not need any more is given back by now, and what they look at for each call is not.
        select.select([], [], [], 1.0)
        for one in opened:
            for _ in range(20):
                assert one.facade.get(one.key(1, What="a")) is None
        pids = [pid_of(one) for one in opened]
        own = sorted(map(private, pids))
        shared = sorted(map(proportional, pids))
    times.sort()
    print(f"\n{count} sidecars of {versions} version(s), root: {os.geteuid() == 0}")
    print(f"start: p50 {statistics.median(times):.1f} ms, p99 {times[int(count * 0.99)]:.1f} ms")
    print(f"private: p50 {statistics.median(own):.2f} MiB, most {own[-1]:.2f} MiB")
    print(f"proportional: p50 {statistics.median(shared):.2f} MiB, all together {sum(shared):.0f} MiB")
    print(f"descriptors of the host: {each:g} each")
    assert each == 6


def test_a_host_without_descriptors_says_so_and_leaves_none_open(
    wild_file: Path, many_descriptors: Callable[[int], None]
) -> None:
    with (
        Sidecars() as sidecars,
        sidecars.load_file(wild_file, owner="acme.bills 1") as plugin,
        open_storage(plugin.providers["Wild"]) as opened,
    ):
        before = open_files()
        many_descriptors(next(itertools.islice(unused(), 3, None)))  # there are three below that
        with pytest.raises(SidecarError, match=r"Too many open files\. Each sidecar takes 6") as caught:
            sidecars.load_file(wild_file, owner="acme.bills 2")
        assert caught.value.reason is Reason.START
        assert not open_files() - before
        assert opened.facade.get(opened.key(1, What="a")) is None
