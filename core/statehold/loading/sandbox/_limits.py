"""How much a process may use."""

from __future__ import annotations

import resource

from statehold.loading.sandbox._policy import Policy

_PAGE = resource.getpagesize()


def limit(policy: Policy, *, used: int, count_threads: bool) -> None:
    """Apply the limits of *policy*, which this process cannot raise again. OSError or ValueError if refused.

    Memory is limited beyond *used*. Threads are counted per user; without *count_threads* that user is the
    host's, too, and they stay unlimited.
    """
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_MEMLOCK: 64 * 1024,
        resource.RLIMIT_NOFILE: policy.open_files,
        resource.RLIMIT_CPU: policy.cpu_seconds,
        resource.RLIMIT_FSIZE: policy.file_bytes,
    }
    if policy.memory_bytes is not None:
        # What has no name but is written: the heap, stacks, private maps. What is only reserved does not count.
        limits[resource.RLIMIT_DATA] = used + policy.memory_bytes
    if count_threads:
        limits[resource.RLIMIT_NPROC] = policy.threads + policy.processes
    for which, value in limits.items():
        if value is not None:
            hard = resource.getrlimit(which)[1]
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(which, (most, most))


def used_bytes() -> int:
    """Return what this process has allocated; it needs /proc."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[5]) * _PAGE
