from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from statehold_zstor.codec._buffers import Buffer
from statehold_zstor.codec._encoding import Block


class Plain:
    """One block of an object, read. Its data lies in a buffer that is used again once it is released.

    Attributes:
        position: of the block in its object, from 0.
        last: whether the object ends with it.
        data: what was written.
        bad: what is wrong with shards that were given and are not sound, by index.

    """

    position: int
    last: bool
    data: memoryview
    bad: Mapping[int, str]

    def release(self) -> None:
        """Give the buffer back."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Decoder:
    """Decodes the blocks of one edition; any number of threads may."""

    def decode(self, shards: Mapping[int, Buffer], *, position: int) -> Plain:
        """Return the block at *position* from any k sound ones of *shards*, by their index.

        More than k may be given: what is not sound among them is told and worked around. Every byte that is
        returned has been authenticated.

        Raises:
            TooFewShardsError: fewer than k of them are sound.
            ForgedBlockError: enough look sound, but none of their combinations is what was written.

        """
        raise NotImplementedError

    def repair(self, shards: Mapping[int, Buffer], *, position: int) -> Block:
        """Return all n shards of the block, equal to those that were written; raises as `decode`."""
        raise NotImplementedError

    def check(self, shard: Buffer, *, index: int, position: int) -> None:
        """Raise CorruptShardError if *shard* is damaged, cut off or of another place, by header and CRC."""
        raise NotImplementedError
