"""Runs one service and ends with it: `_child.py DESCRIPTOR`; or becomes it, for systemd: `_child.py FILE`.

It is started by its path and imports nothing of Statehold, so that it is there at once and is small. What
the host wants comes over the socket; when that ends, the host has ended, and so does the service.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
import traceback
from contextlib import suppress
from typing import Any, NoReturn

STOP, KILL = b"T", b"K"

_NEW_MOUNTS, _NEW_USERS, _NEW_PROCESSES = 0x20000, 0x10000000, 0x20000000
_SLAVE, _RECURSIVE, _DETACH = 1 << 19, 1 << 14, 2
_READ_ONLY, _NO_SET_ID, _NO_DEVICES, _NO_EXECUTE = 1, 2, 4, 8
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442  # the same on all processors
_CLONE_TREE = 0x0001 | 0x0008_0000 | 0x8000  # OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_RECURSIVE
_EMPTY_PATH, _FROM_EMPTY_PATH, _ALL_BELOW = 0x1000, 0x0004, 0x8000
_HERE = -100
_PDEATHSIG, _SUBREAPER, _NO_NEW_PRIVILEGES = 1, 36, 38
_STAGE = "/proc"  # a folder that every machine has, and which is made anew
_PATIENCE = 10.0

_libc = ctypes.CDLL(None, use_errno=True)


def main(descriptor: int) -> NoReturn:
    """Make a process of its own for the service, which ends with all that the service has started."""
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    lacks: list[str] = []
    try:
        spec = json.loads(control.recv(1 << 20) or b"{}")
        if not spec:
            os._exit(1)
        lacks += spec["lacks"]
        _join(spec["cgroups"], lacks)
        spaces = _unshare(spec, lacks)
        child = os.fork()
        if child:
            handle = os.pidfd_open(child)
            socket.send_fds(control, [_said("init")], [handle])
            control.close()
            os.closerange(0, 3)
            os.waitpid(child, 0)
            os._exit(0)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the host is to hear it
        _give_up(control, error)
    try:
        _init(control, spec, spaces, lacks)
    except BaseException as error:  # noqa: BLE001 - likewise
        _give_up(control, error)


def become(file: str) -> NoReturn:
    """Become the service that a file describes, in mounts of its own; who runs this ends and limits it."""
    with open(file, "rb") as opened:  # noqa: PTH123
        spec = json.loads(opened.read())
    try:
        if spec["binds"] or spec["tmp_bytes"]:
            _call("unshare", _NEW_MOUNTS)
            _show(spec)
        _become(spec)
        os.execvpe(spec["command"][0], spec["command"], spec["env"])  # noqa: S606 - what it is for
    except OSError as error:
        sys.exit(f"{spec['command'][0]} cannot be started: {error}")


def _said(kind: str, **more: Any) -> bytes:
    return json.dumps({"is": kind, **more}).encode()


def _give_up(control: socket.socket, error: BaseException) -> NoReturn:
    why = str(error) if isinstance(error, OSError) else "".join(traceback.format_exception(error))[-4000:]
    with suppress(OSError):
        control.send(_said("failed", why=why))
    _kill_all(0)
    os._exit(1)


# -- Spaces --------------------------------------------------------------------------------------------------


def _call(name: str, *arguments: Any) -> int:
    result: int = getattr(_libc, name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def _join(cgroups: list[str], lacks: list[str]) -> None:
    for folder in cgroups:
        try:
            with open(f"{folder}/cgroup.procs", "w") as file:  # noqa: PTH123 - pathlib takes time to import
                file.write("0")
        except OSError as error:
            lacks.append(f"its limits are not kept: {error}")


def _unshare(spec: dict[str, Any], lacks: list[str]) -> frozenset[str]:
    """Enter spaces of its own, as far as that is allowed, and say which."""
    if spec["isolation"] == "off":
        return frozenset()
    own = (os.geteuid(), os.getegid())
    try:
        if own[0]:
            _call("unshare", _NEW_USERS)
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{own[0]} {own[0]} 1"),
                ("gid_map", f"{own[1]} {own[1]} 1"),
            ):
                with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
                    file.write(text)
        _call("unshare", _NEW_MOUNTS | _NEW_PROCESSES)
    except OSError as error:
        if spec["isolation"] == "required":
            raise OSError(error.errno, f"it can have no mounts and processes of its own: {error}") from error
        lacks.append(f"it sees the mounts and processes of the host: {error}")
        return frozenset()
    return frozenset({"mounts", "processes"})


# -- What it sees --------------------------------------------------------------------------------------------


def _show(spec: dict[str, Any]) -> None:
    """Go to a root folder that is the host's, with the service's folders at their paths."""
    nothing = ctypes.c_char_p(None)
    _call("mount", nothing, b"/", nothing, _SLAVE | _RECURSIVE, nothing)
    processes = _tree("/proc", 0)
    trees = [
        (target, _tree(source, _NO_SET_ID | _NO_DEVICES | (_READ_ONLY if read_only else 0)))
        for source, target, read_only in spec["binds"]
    ]
    names = sorted(os.listdir("/"))  # noqa: PTH208
    made = {_tmpfs(_STAGE, "size=4m,mode=755")}
    for name in names:
        if name != "proc":
            _copy(f"/{name}", f"{_STAGE}/{name}")
    os.mkdir(f"{_STAGE}/proc")  # noqa: PTH102
    try:
        fixed = _NO_SET_ID | _NO_DEVICES | _NO_EXECUTE
        _call("mount", b"proc", f"{_STAGE}/proc".encode(), b"proc", fixed, nothing)
        os.close(processes)
    except OSError:  # some containers do not let anybody; it is the host's then
        _put(processes, f"{_STAGE}/proc")
    if spec["tmp_bytes"]:
        made.add(_tmpfs(_place("/tmp", made), f"size={spec['tmp_bytes']},mode=1777"))  # noqa: S108 - own one
    for target, tree in sorted(trees):  # what lies in another one is put there after it
        _put(tree, _place(target, made))
    os.chdir(_STAGE)
    _call("pivot_root", b".", b".")
    _call("umount2", b".", _DETACH)
    os.chdir("/")


def _tree(source: str, attributes: int) -> int:
    tree = _call("syscall", _OPEN_TREE, _HERE, os.fsencode(source), _CLONE_TREE)
    if attributes:
        change = struct.pack("=QQQQ", attributes, 0, 0, 0)
        _call("syscall", _MOUNT_SETATTR, tree, b"", _EMPTY_PATH | _ALL_BELOW, change, len(change))
    return tree


def _put(tree: int, place: str) -> None:
    _call("syscall", _MOVE_MOUNT, tree, b"", _HERE, os.fsencode(place), _FROM_EMPTY_PATH)
    os.close(tree)


def _tmpfs(place: str, options: str) -> int:
    _call("mount", b"tmpfs", os.fsencode(place), b"tmpfs", _NO_SET_ID | _NO_DEVICES, options.encode())
    return os.stat(place).st_dev  # noqa: PTH116


def _copy(source: str, place: str) -> None:
    """Let *place* be what *source* is."""
    if os.path.islink(source):  # noqa: PTH114
        os.symlink(os.readlink(source), place)  # noqa: PTH115, PTH211
    elif os.path.isdir(source):  # noqa: PTH112
        os.mkdir(place)  # noqa: PTH102
        _put(_tree(source, 0), place)
    else:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o444))
        _put(_tree(source, 0), place)


def _place(target: str, made: set[int]) -> str:
    """Return where in the new root a folder is to be shown, made if need be, but never on the host."""
    here = _STAGE
    for part in target.strip("/").split("/"):
        there = f"{here}/{part}"
        if os.path.islink(there):  # noqa: PTH114
            raise OSError(errno.ELOOP, f"the path {target} leads through a link, at {there[len(_STAGE) :]}")
        if not os.path.lexists(there):
            found = os.stat(here)  # noqa: PTH116
            if found.st_dev not in made:
                made.add(_mimic(here, found))
            os.mkdir(there)  # noqa: PTH102
        here = there
    return here


def _mimic(folder: str, found: os.stat_result) -> int:
    """Let a folder of the host have the same in it, and room for more that the host does not see."""
    aside = f"{_STAGE}/.aside"
    os.mkdir(aside)  # noqa: PTH102
    _put(_tree(folder, 0), aside)
    device = _tmpfs(folder, f"size=4m,mode={found.st_mode & 0o7777:o}")
    for name in os.listdir(aside):  # noqa: PTH208
        _copy(f"{aside}/{name}", f"{folder}/{name}")
    _call("umount2", os.fsencode(aside), _DETACH)
    os.rmdir(aside)  # noqa: PTH106
    return device


# -- The first process ---------------------------------------------------------------------------------------


def _init(control: socket.socket, spec: dict[str, Any], spaces: frozenset[str], lacks: list[str]) -> NoReturn:
    """Start the service, and end when it has ended, or the host has."""
    _call("prctl", _SUBREAPER, 1, 0, 0, 0)
    lock = os.open(spec["lock"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _hold(lock)
    if "mounts" in spaces and (spec["binds"] or spec["tmp_bytes"]):
        try:
            _show(spec)
        except OSError as error:
            if spec["isolation"] == "required":
                raise
            with suppress(OSError):
                _call("umount2", _STAGE.encode(), _DETACH)
            lacks.append(f"its folders are not at their paths: {error}")
            spaces -= {"mounts"}
    if "mounts" not in spaces and spec["fallback"] is not None:
        spec.update(spec["fallback"])
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    child = _start(spec)
    control.send(_said("started", lacks=lacks))
    code = _watch(control, woken, child)
    _kill_all(0)
    with suppress(OSError):
        control.send(_said("ended", code=code))
    os._exit(0)


def _hold(lock: int) -> None:
    """Wait until what an earlier host has started is gone: two must not work in one folder."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise OSError(errno.EBUSY, "it is still at work, started by another host") from None
            time.sleep(0.02)
        else:
            return


def _start(spec: dict[str, Any]) -> int:
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            _become(spec)
            # After the user, which takes it back.
            _call("prctl", _PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            os.execvpe(spec["command"][0], spec["command"], spec["env"])  # noqa: S606 - what it is for
        except BaseException as error:  # noqa: BLE001 - of a process that is nobody yet
            os.write(tell, f"{spec['command'][0]}: {error}".encode()[:4000])
            os._exit(1)
    os.close(tell)
    why = b""
    while part := os.read(told, 4096):
        why += part
    os.close(told)
    if why:
        raise OSError(errno.ENOEXEC, why.decode(errors="replace"))
    return child


def _become(spec: dict[str, Any]) -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if spec["files"]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (spec["files"], spec["files"]))
    os.umask(0o022)
    if spec["uid"] is not None and spec["uid"] != os.geteuid():
        os.setgroups([])
        os.setresgid(spec["gid"], spec["gid"], spec["gid"])
        os.setresuid(spec["uid"], spec["uid"], spec["uid"])
    _call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    os.chdir(spec["folder"])


def _watch(control: socket.socket, woken: int, child: int) -> int:
    """Return how the service ended."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(woken, select.POLLIN)
    while True:
        with suppress(BlockingIOError):
            os.read(woken, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 0
            if pid == child:
                return os.waitstatus_to_exitcode(status)
            if not pid:
                break
        for descriptor, _ in poll.poll():
            if descriptor != control.fileno():
                continue
            wanted = control.recv(16)
            if wanted == STOP:
                os.killpg(child, signal.SIGTERM)
            else:
                _kill_all(child)
                return -signal.SIGKILL


def _kill_all(child: int) -> None:
    """End every process that the service has started, and wait for it."""
    alone = os.getpid() == 1  # of a space of its own: everybody in it is the service's
    if child and not alone:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    while True:
        if alone:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            _kill_children()
        try:
            os.wait()
        except ChildProcessError:
            return


def _kill_children() -> None:
    """End the children, also those of children that have ended; a pid is its own until it is waited for."""
    with suppress(OSError), open("/proc/thread-self/children") as file:  # noqa: PTH123
        for pid in map(int, file.read().split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        main(int(sys.argv[1]))
    become(sys.argv[1])
