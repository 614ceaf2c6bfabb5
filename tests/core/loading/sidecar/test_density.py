"""How many sidecars a host carries: memory, time, descriptors."""

from __future__ import annotations

import os
import re
import resource
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

import pytest

from statehold.loading.sidecar import Reason, SidecarError, Sidecars
from statehold.testing import OpenStorage, open_storage

SIDECARS = 200


@pytest.fixture
def many_descriptors() -> Iterator[Callable[[int], None]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda count: resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def pid(opened: OpenStorage) -> int:
    pidfd = opened.storage.group.pidfd  # type: ignore[attr-defined]
    found = re.search(r"^Pid:\s+(\d+)", Path(f"/proc/self/fdinfo/{pidfd}").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def memory(process: int, what: str) -> float:
    """Return a figure of a process, MiB."""
    found = re.search(
        rf"^{what}:\s+(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE
    )
    assert found is not None
    return int(found[1]) / 1024


@pytest.mark.parametrize("count", [3, pytest.param(SIDECARS, marks=pytest.mark.soak)])
def test_many_sidecars_take_six_descriptors_each(
    wild_file: Path, many_descriptors: Callable[[int], None], count: int
) -> None:
    many_descriptors(min(descriptors() + 8 * count + 256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    times = []
    with Sidecars() as sidecars, ExitStack() as stack:
        sidecars.load_file(wild_file, owner="acme.first 1").free()
        before = descriptors()
        opened = []
        for number in range(count):
            begun = perf_counter()
            plugin = stack.enter_context(sidecars.load_file(wild_file, owner=f"acme.app{number} 1"))
            one = stack.enter_context(open_storage(plugin.providers["Wild"]))
            assert one.facade.get(one.key(1, What="a")) is None
            times.append((perf_counter() - begun) * 1000)
            opened.append(one)
        each = (descriptors() - before) / count
        pids = [pid(one) for one in opened]
        private = sorted(memory(one, "Private_Dirty") for one in pids)
        shared = sorted(memory(one, "Pss") for one in pids)
    times.sort()
    print(f"\n{count} sidecars, root: {os.geteuid() == 0}")
    print(f"start: p50 {statistics.median(times):.1f} ms, p99 {times[int(count * 0.99)]:.1f} ms")
    print(f"private: p50 {statistics.median(private):.2f} MiB, most {private[-1]:.2f} MiB")
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
        before = descriptors()
        many_descriptors(before + 3)
        with pytest.raises(SidecarError, match=r"Too many open files\. Each sidecar takes 6") as caught:
            sidecars.load_file(wild_file, owner="acme.bills 2")
        assert caught.value.reason is Reason.START
        assert descriptors() == before
        assert opened.facade.get(opened.key(1, What="a")) is None
