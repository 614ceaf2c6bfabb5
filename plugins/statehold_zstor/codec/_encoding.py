from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from statehold_zstor.codec._buffers import Buffer


class Block:
    """One block of an object as its n shards, each of which goes to a place of its own.

    The shards lie in a buffer that is used again once the block is released. Whoever does not release it
    loses a little time, nothing else. After `release` they can no longer be read (ValueError).

    Attributes:
        position: of the block in its object, from 0.
        last: whether the object ends with it.
        shards: n of them, each with its header; equally long.

    """

    position: int
    last: bool
    shards: Sequence[memoryview]

    def release(self) -> None:
        """Give the buffer back."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Encoder:
    """Encodes the blocks of one edition; any number of threads may."""

    def encode(self, plain: Buffer, *, position: int, last: bool) -> Block:
        """Return the shards of a block.

        Raises:
            CodecError: *plain* is larger than a block, or *position* was encoded before: its nonce is used.

        """
        raise NotImplementedError
