"""How much a process may use."""

from __future__ import annotations

import resource
from pathlib import Path

import attrs

from statehold.loading.sandbox._policy import MIB, Policy

_PAGE = resource.getpagesize()
_STACK = 8 * MIB
# Files that are mapped and what allocators reserve for threads; the runtime of a program takes more.
_BEYOND = 512 * MIB
_BEYOND_PROGRAM = 4096 * MIB


@attrs.frozen(kw_only=True)
class Used:
    """Bytes that a process has: written without a file, and all addresses."""

    data: int
    all: int


def limit(policy: Policy, *, used: Used, count_threads: bool) -> None:
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
        resource.RLIMIT_STACK: _STACK,
        resource.RLIMIT_NOFILE: policy.open_files,
        resource.RLIMIT_CPU: policy.cpu_seconds,
        resource.RLIMIT_FSIZE: policy.file_bytes,
    }
    if policy.memory_bytes is not None:
        # What is written and has no file: heap, stacks, private maps. What is only reserved does not count.
        limits[resource.RLIMIT_DATA] = used.data + policy.memory_bytes
        # What was written and is read-only now does not count any more; all together has an end as well.
        beyond = _BEYOND_PROGRAM if policy.executables else _BEYOND
        limits[resource.RLIMIT_AS] = used.all + policy.memory_bytes + beyond
    if count_threads:
        limits[resource.RLIMIT_NPROC] = policy.threads + policy.processes
    for which, value in limits.items():
        if value is not None:
            hard = resource.getrlimit(which)[1]
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(which, (most, most))


def used_bytes() -> Used:
    """Return what this process has allocated; it needs /proc."""
    pages = Path("/proc/self/statm").read_bytes().split()
    return Used(data=int(pages[5]) * _PAGE, all=int(pages[0]) * _PAGE)
