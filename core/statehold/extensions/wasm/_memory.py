from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final, cast

import wasmtime

from statehold.extensions.wasm._errors import GuestError
from statehold.loading.wasm.machine import address

#: How much is asked of the guest at once for what is returned to it.
_BUFFER: Final = 64_000


class Memory:
    """A guest's memory: every read and write is checked against its size, which is 0 until it is attached."""

    def __init__(self) -> None:
        self._store: wasmtime.Store | None = None
        self._memory = cast("wasmtime.Memory", None)
        self._base = 0
        self._malloc: Callable[[int], int] = _no_malloc
        self._buffers: list[tuple[int, int]] = []
        self._given = 0
        self._next = 0
        self._at = 0
        self._end = 0
        # An array type of ctypes has no name for mypy.
        self._bytes: Any = b""
        self._view = memoryview(b"")
        self.size = 0
        self.first_size = 0

    def attach(self, store: wasmtime.Store, memory: wasmtime.Memory, malloc: Callable[[int], int]) -> None:
        """Take on the memory of an instance.

        *malloc* asks the guest for so many bytes; what it says is not believed.
        """
        self._store, self._memory, self._malloc = store, memory, malloc
        self._base = address(memory.data_ptr(store))
        self.first_size = self.look()

    def read(self, pointer: int, length: int) -> bytes:
        """Return *length* bytes at *pointer*."""
        end = pointer + length
        if end > self.size:
            self._reach(pointer, length)
        found: bytes = self._bytes[pointer:end]
        return found

    def check(self, pointer: int, length: int) -> None:
        """Raise GuestError unless *length* bytes at *pointer* are in the memory."""
        if pointer + length > self.size:
            self._reach(pointer, length)

    def write(self, pointer: int, data: bytes) -> None:
        """Put *data* at *pointer*."""
        end = pointer + len(data)
        if end > self.size:
            self._reach(pointer, len(data))
        self._view[pointer:end] = data

    def give(self, data: bytes) -> int:
        """Put *data* into memory of the guest's own; return `address << 32 | length`.

        It stays there until the call ends.
        """
        length = len(data)
        if not length:
            return 0
        at = self._at
        if at + length > self._end:
            at = self._ask(length)
        self._at = at + length
        self._view[at : at + length] = data
        return at << 32 | length

    def begin(self) -> None:
        """Use what the guest has given so far from its beginning again."""
        self._next = 0
        self._at = self._end = 0

    def look(self) -> int:
        """Return the size as it is now, in bytes."""
        size = self._memory.data_len(self._store) if self._store is not None else 0
        if size != self.size:
            self.size = size
            self._bytes = (ctypes.c_char * size).from_address(self._base)
            self._view = memoryview(self._bytes).cast("B")
        return size

    def close(self) -> None:
        """Touch the memory no more."""
        self._store = None
        self._memory = cast("wasmtime.Memory", None)
        self._malloc = _no_malloc
        self._bytes = b""
        self._view = memoryview(b"")
        self.size = 0

    def _ask(self, length: int) -> int:
        while self._next < len(self._buffers):
            start, end = self._buffers[self._next]
            self._next += 1
            if end - start >= length:
                self._end = end
                return start
        size = max(length, _BUFFER)
        start = self._malloc(size)
        if not start:
            raise GuestError(f"its malloc has no {size} bytes for what the host returns")
        if start + size > self.size:
            self._reach(start, size)
        self._given += size
        if self._given > self.size:
            # What it gives is never given back, so it has given the same twice, and could do so for ever.
            raise GuestError(
                f"its malloc has given {self._given} bytes to the host, and its memory has {self.size}"
            )
        self._buffers.append((start, start + size))
        self._next = len(self._buffers)
        self._end = start + size
        return start

    def _reach(self, pointer: int, length: int) -> None:
        # A memory only grows, and does not move: see the settings of the engine.
        if pointer + length > self.look():
            raise GuestError(
                f"it named {length} bytes at address {pointer}, and its memory ends at {self.size}"
            )


def decoded(data: bytes) -> str:
    """Return a text that a guest gave."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise GuestError(f"it gave a text that is not UTF-8: {error}") from error


def _no_malloc(_: int) -> int:
    return 0
