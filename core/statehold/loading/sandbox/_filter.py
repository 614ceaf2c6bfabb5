"""Which system calls a process may make."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Sequence

import attrs

from statehold.loading.sandbox._numbers import NEWEST, Machine

_FREE = """
read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 close close_range stat fstat
lstat newfstatat statx access faccessat faccessat2 readlink readlinkat lseek getdents getdents64 getcwd
chdir fchdir rename renameat renameat2 rmdir unlink unlinkat link linkat umask utimensat
utime utimes futimesat truncate ftruncate fallocate fsync fdatasync sync_file_range flock statfs fstatfs
fadvise64 readahead sendfile copy_file_range getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
inotify_init inotify_init1 inotify_add_watch inotify_rm_watch dup dup2 dup3 pipe pipe2 poll ppoll select
pselect6 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_pwait epoll_pwait2 eventfd
eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime munmap mremap mprotect madvise
msync mlock mlock2 munlock munlockall mincore brk membarrier recvfrom recvmsg recvmmsg shutdown
getsockname getpeername getsockopt futex futex_waitv set_robust_list rseq set_tid_address restart_syscall
sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max
sched_get_priority_min sched_rr_get_interval getpriority getcpu rt_sigaction rt_sigprocmask rt_sigpending
rt_sigtimedwait rt_sigsuspend rt_sigreturn sigaltstack pause alarm getitimer setitimer clock_gettime
clock_getres clock_nanosleep nanosleep gettimeofday time times timer_create timer_settime timer_gettime
timer_getoverrun timer_delete getrusage getrlimit sysinfo uname getrandom arch_prctl getpid getppid gettid
getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp getpgid getsid capget exit exit_group
wait4 waitid
"""

_ALLOW = 0x7FFF_0000
_ASK = 0x7FC0_0000
_KILL = 0x8000_0000
_EPERM = 0x0005_0000 | errno.EPERM
_ENOSYS = 0x0005_0000 | errno.ENOSYS

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL, _ABOVE, _AT_LEAST = 0x15, 0x25, 0x35

# New namespaces, another parent, being traced along.
_CLONE_BAD = 0x7E02_0000 | 0x8000 | 0x2000
_CLONE_THREAD = 0x0001_0000
_SET_ID = 0o6000
_SHARED, _ANONYMOUS, _GROWS = 0x01, 0x20, 0x100
_FASTOPEN = 0x2000_0000
# FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, and what asks a terminal (TCGETS, TCGETS2, TIOCGWINSZ).
_IOCTLS = (0x541B, 0x5421, 0x5451, 0x5450, 0x5401, 0x802C_542A, 0x5413)
# All but those that send signals to somebody (F_SETOWN, F_SETSIG, leases, notifications).
_FCNTLS = (*range(8), 36, 37, 38, 1030, 1031, 1032, 1034)
# Names of threads and of memory, and questions.
_PRCTLS = (15, 16, 3, 21, 23, 39, 0x5356_4D41)
_SELF = 0x7E5F_5E1F  # stands where the process's own pid will be; no pid is that high
# Of a pair of sockets; not how much of the kernel's memory it may fill, which counts for no limit.
_OPTIONS = (2, 9, 10, 13, 16, 18, 20, 21, 42, 66, 67)
_STREAM, _SEQUENCE = 1, 5
_UNIX, _INET, _INET6 = 1, 2, 10


@attrs.frozen
class _Rule:
    """The lower half of an argument, masked, is one of some values; the upper half with *high*."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFF_FFFF
    high: bool = False


@attrs.frozen(kw_only=True)
class Allowed:
    """What a policy grants beyond what every process needs."""

    forks: bool = False
    signals: bool = False
    """To anybody, not only to itself."""
    executes: bool = False
    network: bool = False
    """TCP sockets; their `connect` asks who listens."""


def template(machine: Machine, allowed: Allowed) -> bytes:
    """Return a filter for no process in particular, see `program`.

    What is not known to be harmless is refused with EPERM, what is younger than the table with ENOSYS.
    """
    free = set(_FREE.split())
    rules = _rules(allowed)
    if allowed.forks:
        free |= {"fork", "vfork"}
    if allowed.executes:
        free |= {"execve", "execveat"}
    if allowed.signals:
        free |= {"kill", "tgkill"}
    code = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 0, 1, NEWEST + 1),
        (_RETURN, 0, 0, _ENOSYS),
        # glibc asks for it first, and goes on without it only after this answer.
        (_EQUAL, 0, 1, machine.numbers["clone3"]),
        (_RETURN, 0, 0, _ENOSYS),
    ]
    for name, checks in rules.items():
        if name in machine.numbers:
            block = [*_block(checks), (_RETURN, 0, 0, _ASK if name == "connect" else _ALLOW)]
            code += [(_EQUAL, 0, len(block), machine.numbers[name]), *block]
    for first, last in _runs(sorted(machine.numbers[name] for name in free if name in machine.numbers)):
        code += [
            (_AT_LEAST, 1, 0, first),
            (_RETURN, 0, 0, _EPERM),
            (_ABOVE, 1, 0, last),
            (_RETURN, 0, 0, _ALLOW),
        ]
    code.append((_RETURN, 0, 0, _EPERM))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def program(code: bytes, pid: int) -> bytes:
    """Return the filter for the process *pid*, as the kernel reads it."""
    return code.replace(struct.pack("<I", _SELF), struct.pack("<I", pid))


def _rules(allowed: Allowed) -> dict[str, Sequence[_Rule]]:
    own = (_SELF,)
    flags = (0, _CLONE_THREAD) if allowed.forks else (_CLONE_THREAD,)
    rules: dict[str, Sequence[_Rule]] = {
        "open": [_Rule(2, (0,), _SET_ID)],
        "openat": [_Rule(3, (0,), _SET_ID)],
        "creat": [_Rule(1, (0,), _SET_ID)],
        "chmod": [_Rule(1, (0,), _SET_ID)],
        "fchmod": [_Rule(1, (0,), _SET_ID)],
        "fchmodat": [_Rule(2, (0,), _SET_ID)],
        "fchmodat2": [_Rule(2, (0,), _SET_ID)],
        "mkdir": [_Rule(1, (0,), _SET_ID)],
        "mkdirat": [_Rule(2, (0,), _SET_ID)],
        "fcntl": [_Rule(1, _FCNTLS)],
        "ioctl": [_Rule(1, _IOCTLS)],
        # Memory that is shared and has no file, or grows as a stack does, counts for no limit.
        "mmap": [_Rule(3, (0x00, _SHARED, _ANONYMOUS), _SHARED | _ANONYMOUS | _GROWS)],
        # One that is connected for good: who can name an address in a message can talk to others.
        "socketpair": [_Rule(0, (_UNIX,)), _Rule(1, (_STREAM, _SEQUENCE), 0xF)],
        "sendto": [_Rule(3, (0,), _FASTOPEN), _Rule(4, (0,)), _Rule(4, (0,), high=True)],
        "sendmsg": [_Rule(2, (0,), _FASTOPEN)],
        "sendmmsg": [_Rule(3, (0,), _FASTOPEN)],
        "setsockopt": [_Rule(1, (1,)), _Rule(2, _OPTIONS)],
        "prlimit64": [_Rule(0, (0, _SELF))],
        "prctl": [_Rule(0, _PRCTLS)],
        "clone": [_Rule(0, flags, _CLONE_BAD | _CLONE_THREAD)],
        "rt_sigqueueinfo": [_Rule(0, own)],
        "rt_tgsigqueueinfo": [_Rule(0, own)],
    }
    if not allowed.signals:
        rules |= {"kill": [_Rule(0, own)], "tgkill": [_Rule(0, own)]}
    if allowed.network:
        rules["socket"] = [_Rule(0, (_INET, _INET6)), _Rule(1, (_STREAM,), 0xF), _Rule(2, (0, 6))]
        rules["connect"] = []
        rules["setsockopt"] = [_Rule(1, (1, 0, 6, 41))]
    return rules


def _block(rules: Sequence[_Rule]) -> Iterator[tuple[int, int, int, int]]:
    for rule in rules:
        yield _LOAD, 0, 0, 16 + 8 * rule.argument + 4 * rule.high
        if rule.mask != 0xFFFF_FFFF:
            yield _AND, 0, 0, rule.mask
        for left, value in zip(range(len(rule.values), 0, -1), rule.values, strict=True):
            yield _EQUAL, left, 0, value
        yield _RETURN, 0, 0, _EPERM


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last
