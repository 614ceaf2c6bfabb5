"""WASI preview 1 as far as a guest of ours has it: what it prints, the time and randomness; nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Final

from statehold.extensions.wasm._errors import GuestError
from statehold.extensions.wasm._memory import Memory

MODULE: Final = "wasi_snapshot_preview1"

_OK: Final = 0
_BAD_DESCRIPTOR: Final = 8
_INVALID: Final = 28
_NOT_SUPPORTED: Final = 52
_MOST_VECTORS: Final = 1024
_PRINTED: Final = (1, 2)
_RANDOM_STEP: Final = 65536
_CLOCKS: Final[tuple[Callable[[], int], ...]] = (time.time_ns, time.monotonic_ns)

#: Letters of the parameters of all its functions; each returns an error number, but for `proc_exit`.
FUNCTIONS: Final = {
    "args_get": "pp",
    "args_sizes_get": "pp",
    "clock_res_get": "ip",
    "clock_time_get": "ilp",
    "environ_get": "pp",
    "environ_sizes_get": "pp",
    "fd_advise": "illi",
    "fd_allocate": "ill",
    "fd_close": "i",
    "fd_datasync": "i",
    "fd_fdstat_get": "ip",
    "fd_fdstat_set_flags": "ii",
    "fd_fdstat_set_rights": "ill",
    "fd_filestat_get": "ip",
    "fd_filestat_set_size": "il",
    "fd_filestat_set_times": "illi",
    "fd_pread": "ipplp",
    "fd_prestat_dir_name": "ipp",
    "fd_prestat_get": "ip",
    "fd_pwrite": "ipplp",
    "fd_read": "ippp",
    "fd_readdir": "ipplp",
    "fd_renumber": "ii",
    "fd_seek": "ilip",
    "fd_sync": "i",
    "fd_tell": "ip",
    "fd_write": "ippp",
    "path_create_directory": "ipp",
    "path_filestat_get": "iippp",
    "path_filestat_set_times": "iipplli",
    "path_link": "iippipp",
    "path_open": "iippillip",
    "path_readlink": "ippppp",
    "path_remove_directory": "ipp",
    "path_rename": "ippipp",
    "path_symlink": "ppipp",
    "path_unlink_file": "ipp",
    "poll_oneoff": "pppp",
    "proc_exit": "i",
    "proc_raise": "i",
    "random_get": "pp",
    "sched_yield": "",
    "sock_accept": "iip",
    "sock_recv": "ippipp",
    "sock_send": "ippip",
    "sock_shutdown": "ii",
}


class ExitError(GuestError):
    """The guest called exit."""

    def __init__(self, code: int) -> None:
        super().__init__(f"it ended itself with exit code {code}", hint="An extension returns instead")
        self.code = code


class Wasi:
    """The functions of one guest.

    Args:
        memory: the guest's.
        kept: how many bytes of what is printed in one call are kept; the last ones.

    """

    def __init__(self, memory: Memory, kept: int) -> None:
        self.memory = memory
        self._kept = kept
        self._printed = bytearray()

    def begin(self) -> None:
        """Forget what was printed."""
        self._printed.clear()

    @property
    def printed(self) -> str:
        """What the guest has printed since the call began, as far as it is kept."""
        return self._printed.decode(errors="replace")

    def function(self, name: str) -> Callable[..., Any]:
        """Return the function called *name*; most say that there is no such thing here."""
        own: dict[str, Callable[..., Any]] = {
            "args_sizes_get": self._none,
            "environ_sizes_get": self._none,
            "args_get": self._nothing,
            "environ_get": self._nothing,
            "sched_yield": self._nothing,
            "clock_res_get": self._resolution,
            "clock_time_get": self._time,
            "random_get": self._random,
            "proc_exit": self._exit,
            "fd_write": self._write,
            "fd_fdstat_get": self._descriptor,
        }
        if name in own:
            return own[name]
        number = _BAD_DESCRIPTOR if name.startswith(("fd_", "path_", "sock_")) else _NOT_SUPPORTED
        return lambda *_: number

    def _nothing(self, *_: int) -> int:
        return _OK

    def _none(self, count: int, size: int) -> int:
        self.memory.write(count, bytes(4))
        self.memory.write(size, bytes(4))
        return _OK

    def _resolution(self, clock: int, result: int) -> int:
        if not 0 <= clock < len(_CLOCKS):
            return _NOT_SUPPORTED
        self.memory.write(result, (1).to_bytes(8, "little"))
        return _OK

    def _time(self, clock: int, _precision: int, result: int) -> int:
        if not 0 <= clock < len(_CLOCKS):
            return _NOT_SUPPORTED
        self.memory.write(result, _CLOCKS[clock]().to_bytes(8, "little"))
        return _OK

    def _random(self, pointer: int, length: int) -> int:
        self.memory.check(pointer, length)
        for at in range(pointer, pointer + length, _RANDOM_STEP):
            self.memory.write(at, os.urandom(min(_RANDOM_STEP, pointer + length - at)))
        return _OK

    def _exit(self, code: int) -> None:
        raise ExitError(code)

    def _descriptor(self, descriptor: int, result: int) -> int:
        if descriptor not in _PRINTED:
            return _BAD_DESCRIPTOR
        # A character device that may be written to: type 2, no flags, right 64.
        self.memory.write(result, b"\2" + bytes(7) + (64).to_bytes(8, "little") + bytes(8))
        return _OK

    def _write(self, descriptor: int, vectors: int, count: int, result: int) -> int:
        if descriptor not in _PRINTED:
            return _BAD_DESCRIPTOR
        if count > _MOST_VECTORS:
            return _INVALID
        pieces = self.memory.read(vectors, count * 8)
        total = 0
        for at in range(0, len(pieces), 8):
            pointer = int.from_bytes(pieces[at : at + 4], "little")
            length = int.from_bytes(pieces[at + 4 : at + 8], "little")
            total += length
            self.memory.check(pointer, length)
            last = min(length, self._kept)
            self._printed += self.memory.read(pointer + length - last, last)
            # The end tells more than the beginning: it is where a panic is.
            del self._printed[: -self._kept]
        self.memory.write(result, min(total, 2**32 - 1).to_bytes(4, "little"))
        return _OK
