from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from statehold_zstor.codec._errors import CodecError
from statehold_zstor.codec._isal import load

MAX_SHARDS: Final = 255
#: What ISA-L makes of one coefficient.
TABLE: Final = 32
#: How many patterns of loss a code remembers the tables of, each of some KiB.
PATTERNS: Final = 256


class ErasureCode:
    """Reed-Solomon, k pieces and m more, over any of which the k are known.

    The n x k matrix is the unit matrix above a Cauchy matrix, 1 / (x + y) with all x and y different. Of such
    a matrix every square part can be inverted, and so can every k rows of the whole.

    Pieces are given as pointers, from `pointers` or by adding to one.
    """

    def __init__(self, k: int, m: int) -> None:
        if k < 1 or m < 0 or k + m > MAX_SHARDS:
            raise CodecError(
                f"an erasure code: expected 1 or more pieces and up to {MAX_SHARDS} with those added,"
                f" got {k} and {m}"
            )
        self.k = k
        self.m = m
        self._first = frozenset(range(k))
        self._isal = isal = load()
        self._bytes = isal.ffi.typeof("unsigned char[]")
        self._pointers = isal.ffi.typeof("unsigned char *[]")
        self._matrix = isal.ffi.new(self._bytes, (k + m) * k)
        isal.lib.gf_gen_cauchy1_matrix(self._matrix, k + m, k)
        self._parity = self._tables(self._matrix + k * k, m)
        self._recovery = lru_cache(maxsize=PATTERNS)(self._recovery_tables)

    def row(self, index: int) -> bytes:
        """Return the coefficients of piece *index* of the n."""
        return bytes(self._isal.ffi.buffer(self._matrix + index * self.k, self.k))

    def address(self, buffer: bytes | bytearray | memoryview) -> Any:
        """Return a pointer to the start of *buffer*, which must outlive it."""
        return self._isal.ffi.from_buffer(self._bytes, buffer)

    def pointers(self, addresses: Iterable[Any]) -> Any:
        """Return *addresses* as `encode` and `recover` take them; whoever calls keeps them alive."""
        return self._isal.ffi.new(self._pointers, list(addresses))

    def encode(self, size: int, data: Any, parity: Any) -> None:
        """Fill the m pieces at *parity* from the k at *data*, each of *size* bytes."""
        if size and self.m:
            self._isal.lib.ec_encode_data(size, self.k, self.m, self._parity, data, parity)

    def recover(self, size: int, chosen: tuple[int, ...], sources: Any, targets: Any) -> None:
        """Fill the pieces at *targets*, those of `missing(chosen)`, from those of k indices, ascending."""
        rows = self.k - bisect_left(chosen, self.k)
        if size and rows:
            self._isal.lib.ec_encode_data(size, self.k, rows, self._recovery(chosen), sources, targets)

    def missing(self, chosen: Sequence[int]) -> list[int]:
        """Return which of the first k pieces are not among *chosen*."""
        return sorted(self._first.difference(chosen))

    def inverse(self, chosen: Sequence[int]) -> Any:
        """Return the inverse of the rows of k *chosen* indices: it makes the first k pieces of them."""
        size = self.k * self.k
        square = self._isal.ffi.new(self._bytes, b"".join(map(self.row, chosen)))
        inverse = self._isal.ffi.new(self._bytes, size)
        if self._isal.lib.gf_invert_matrix(square, inverse, self.k) != 0:
            raise CodecError(f"an erasure code of {self.k} and {self.m}: pieces {chosen} cannot be inverted")
        return inverse

    def _recovery_tables(self, chosen: tuple[int, ...]) -> Any:
        inverse = self.inverse(chosen)
        view = self._isal.ffi.buffer(inverse)
        rows = [view[index * self.k : (index + 1) * self.k] for index in self.missing(chosen)]
        return self._tables(self._isal.ffi.new(self._bytes, b"".join(rows)), len(rows))

    def _tables(self, matrix: Any, rows: int) -> Any:
        tables = self._isal.ffi.new(self._bytes, max(TABLE * self.k * rows, 1))
        self._isal.lib.ec_init_tables(self.k, rows, matrix, tables)
        return tables
