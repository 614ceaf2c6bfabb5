"""Shuts this process in."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from statehold.loading.sandbox import _identity, _landlock, _seccomp
from statehold.loading.sandbox._calls import (
    CLONE_NEWNS,
    CLONE_NEWUSER,
    PR_GET_PDEATHSIG,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
)
from statehold.loading.sandbox._filter import Allowed, program, template
from statehold.loading.sandbox._lack import Lack, SandboxError
from statehold.loading.sandbox._limits import limit, used_bytes
from statehold.loading.sandbox._names import etc
from statehold.loading.sandbox._paths import DEVICES, executable, readable
from statehold.loading.sandbox._policy import Policy
from statehold.loading.sandbox._prepare import EMPTY, Known, Prepared, known
from statehold.loading.sandbox._root import build

_TMP = "/tmp"  # noqa: S108 - the private one
_SIGNALS_SINCE = 6


def enter(
    policy: Policy,
    *,
    prepared: Prepared | None = None,
    keep: Collection[int] = (),
    channel: socket.socket | None = None,
    required: bool = False,
) -> tuple[Lack, ...]:
    """Shut this process in, irrevocably; return what could not be applied.

    For a freshly forked child with one thread, before it runs anything that is not trusted. Descriptors other
    than 0, 1, 2 and *keep* are closed. *prepared* is what the parent's `prepare` returned. *channel* is this
    process's end of the socket pair of `Broker.serve`, needed if the policy grants hosts; it is closed here.

    Raises SandboxError if the process cannot be shut in at all (it has several threads, a folder of the
    policy does not exist), and with *required* also if any layer is lacking. End the process then: some
    layers may be applied.
    """
    if policy.network and channel is None:
        raise SandboxError("the policy grants hosts, but nobody connects to them: enter() got no channel")
    kept = {0, 1, 2, *keep, *([channel.fileno()] if channel else [])}
    _check(kept)
    try:
        lacking = _apply(policy, prepared or Prepared(), kept, channel)
    except OSError as error:
        raise SandboxError(f"this process cannot be shut in: {error}") from error
    finally:
        if channel is not None:
            channel.close()
    if required and any(lack.opens for lack in lacking):
        raise SandboxError(
            f"the sandbox is not complete: {'; '.join(str(lack) for lack in lacking if lack.opens)}",
            lacking=lacking,
            hint="allow it to be incomplete, or run the host where these exist",
        )
    return lacking


def _apply(
    policy: Policy, prepared: Prepared, kept: Collection[int], channel: socket.socket | None
) -> tuple[Lack, ...]:
    try:
        common = prepared.known or known()
    except OSError as error:
        _close_others(kept)
        _apply_limits(policy)
        return (Lack("all but the user and the limits", str(error)),)
    entry = _Entry(policy, prepared, common)
    _close_others(kept)
    entry.apply(channel)
    return tuple(entry.lacking)


def _apply_limits(policy: Policy) -> None:
    """Do what needs no call that Python does not have."""
    root = os.geteuid() == 0
    limit(policy, used=used_bytes(), count_threads=root)
    if root:
        uid = policy.uid or _identity.FIRST_UID
        for folder in policy.data_folders:
            _identity.hand_over(os.path.realpath(folder, strict=True), uid)
        _identity.become(uid)


class _Entry:
    """One process on its way in."""

    def __init__(self, policy: Policy, prepared: Prepared, common: Known) -> None:
        self.lacking: list[Lack] = []
        self._policy = policy
        self._prepared = prepared
        self._known = common
        self._calls = self._known.calls
        self._root = os.geteuid() == 0
        self._uid = (policy.uid or _identity.FIRST_UID) if self._root else os.geteuid()
        self._gid = self._uid if self._root else os.getegid()
        self._used = used_bytes()
        self._data = [os.path.realpath(folder, strict=True) for folder in policy.data_folders]
        extra = (*policy.read_only, *policy.executables)
        private = [os.path.realpath(path) for path in policy.private]
        self._readable = readable(self._known.python, extra, self._data, private)
        self.lacking += self._readable.lacking

    def apply(self, channel: socket.socket | None) -> None:
        """Do it, from the outermost layer to the innermost."""
        policy, calls = self._policy, self._calls
        if self._root:
            for folder in self._data:
                _identity.hand_over(folder, self._uid)
        end_with_parent = ctypes.c_int()
        calls("prctl", PR_GET_PDEATHSIG, ctypes.byref(end_with_parent), 0, 0, 0)
        alone = self._namespaces()
        if alone:
            with self._layer("files"):
                self._new_root()
        with self._layer("limits"):
            limit(policy, used=self._used, count_threads=self._root or alone)
        with self._layer("user"):
            _identity.bound_capabilities(calls)
            if self._root:
                _identity.become(self._uid)
        with self._layer("capabilities"):
            _identity.drop_capabilities(calls)
        calls("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # A host without privileges reads what its process wants to connect to, which it could not do then.
        calls("prctl", PR_SET_DUMPABLE, int(bool(policy.network) and not self._root), 0, 0, 0)
        # The kernel forgets it when a process becomes somebody else.
        calls("prctl", PR_SET_PDEATHSIG, end_with_parent.value, 0, 0, 0)
        landlock = 0
        with self._layer("landlock"):
            landlock = self._restrict()
        with self._layer("system calls"):
            self._filter(channel, signals=policy.processes > 0 and landlock >= _SIGNALS_SINCE)

    def _namespaces(self) -> bool:
        """Leave those of the host; say whether this process may mount."""
        missing = {name: flag for name, flag in EMPTY.items() if name not in self._prepared.namespaces}
        if not self._root:
            every = CLONE_NEWUSER | CLONE_NEWNS | sum(missing.values())
            try:
                _identity.own_user_namespace(self._calls, every)
            except OSError as error:
                self.lacking += [
                    Lack("user namespace", f"{error}; without it and without root"),
                    Lack("files", "no root folder of its own: it sees names and sizes of files outside"),
                ]
                return False
            return True
        for name, flag in missing.items():
            with self._layer(f"{name} namespace"):
                self._calls("unshare", flag)
        try:
            self._calls("unshare", CLONE_NEWNS)
        except OSError as error:
            self.lacking.append(
                Lack("files", f"{error}; no root folder of its own: it sees names and sizes of files outside")
            )
            return False
        return True

    def _new_root(self) -> None:
        policy = self._policy
        links = [
            (str(folder), real)
            for folder, real in zip(policy.data_folders, self._data, strict=True)
            if str(folder) != real
        ]
        build(
            self._calls,
            attrs.evolve(self._readable, links=(*self._readable.links, *links)),
            writable=self._data,
            files=etc(policy.network, self._uid, self._gid),
            tmp_bytes=policy.tmp_bytes,
        )

    def _restrict(self) -> int:
        version = _landlock.version(self._calls)
        if not version:
            raise OSError("this kernel has none, or it is not enabled")
        alone = all(lack.layer != "files" for lack in self.lacking)
        if not alone:
            self.lacking += [Lack("files", f"it can read {path}") for path in self._readable.covered]
        _landlock.restrict(
            self._calls,
            read=[*self._readable.paths, *(["/etc"] if alone else [])],
            write=[*self._data, *([_TMP] if alone else [])],
            devices=DEVICES,
            execute=executable(self._policy.executables),
        )
        return version

    def _filter(self, channel: socket.socket | None, *, signals: bool) -> None:
        policy = self._policy
        network = channel is not None and bool(policy.network)
        if network and not _seccomp.asks(self._calls):
            self.lacking.append(Lack("granted hosts", "seccomp cannot ask the host here", opens=False))
            network = False
        allowed = Allowed(
            forks=policy.processes > 0, signals=signals, executes=bool(policy.executables), network=network
        )
        code = self._known.filter if allowed == Allowed() else template(self._calls.machine, allowed)
        code = program(code, os.getpid())
        listener = _seccomp.install(self._calls, code, listener=network)
        if channel is not None and network:
            try:
                socket.send_fds(channel, [b"\0"], [listener])
            finally:
                os.close(listener)

    @contextmanager
    def _layer(self, name: str) -> Iterator[None]:
        """Note it as lacking if it cannot be applied."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.lacking.append(Lack(name, str(error)))


def _check(kept: Iterable[int]) -> None:
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    if threads != 1:
        raise SandboxError(
            f"a process with {threads} threads cannot be shut in: each would have to be",
            hint="call enter() in a freshly forked child",
        )
    for descriptor in kept:
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            continue  # 0, 1 and 2 may be closed
        if stat.S_ISDIR(mode):
            raise SandboxError(
                f"descriptor {descriptor} is a folder outside, and leads everywhere", hint="close it"
            )


def _close_others(kept: Iterable[int]) -> None:
    first = 3
    for descriptor in sorted(each for each in kept if each >= 3):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, 2**31 - 1)
