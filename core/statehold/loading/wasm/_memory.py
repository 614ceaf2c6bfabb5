from __future__ import annotations

import ctypes
from typing import Any, cast

import wasmtime

from statehold.loading.wasm._errors import GuestError, Reason
from statehold.loading.wasm.machine import address


class Memory:
    """An instance's memory: all that is read and written is checked against its size, 0 until it is attached.

    A memory only grows, and does not move (`machine.new_engine` says so): a size that was looked up is right
    or too small.
    """

    def __init__(self) -> None:
        self._store: wasmtime.Store | None = None
        self._memory = cast("wasmtime.Memory", None)
        self._base = 0
        self.size = 0
        # An array type of ctypes has no name for mypy.
        self.bytes: Any = b""
        self.view = memoryview(b"")

    def attach(self, store: wasmtime.Store, memory: wasmtime.Memory) -> None:
        """Take on the memory of an instance."""
        self._store, self._memory = store, memory
        self._base = address(memory.data_ptr(store))
        self.look()

    def look(self) -> int:
        """Return the size as it is now, in bytes."""
        size = self._memory.data_len(self._store) if self._store is not None else 0
        if size != self.size:
            self.bytes = (ctypes.c_char * size).from_address(self._base)
            self.view = memoryview(self.bytes).cast("B")
            self.size = size
        return size

    def check(self, start: int, length: int) -> None:
        """Raise GuestError unless *length* bytes from *start* are in the memory."""
        if start + length > self.size and start + length > self.look():
            raise GuestError(
                f"named {length} bytes at address {start}, and its memory ends at {self.size}",
                reason=Reason.WILD,
            )

    def read(self, start: int, length: int) -> bytes:
        """Return *length* bytes from *start*."""
        self.check(start, length)
        found: bytes = self.bytes[start : start + length]
        return found

    def write(self, start: int, data: bytes) -> None:
        """Put *data* at *start*."""
        self.check(start, len(data))
        self.view[start : start + len(data)] = data

    def close(self) -> None:
        """Touch the memory no more."""
        self._store = None
        self._memory = cast("wasmtime.Memory", None)
        self.bytes = b""
        self.view = memoryview(b"")
        self.size = 0
