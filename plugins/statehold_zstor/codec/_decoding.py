from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, islice
from typing import Final

from statehold_zstor.codec import _header
from statehold_zstor.codec._buffers import Buffer, Bytes, Lent, Pool, Pools
from statehold_zstor.codec._encoding import Block
from statehold_zstor.codec._erasure import ErasureCode
from statehold_zstor.codec._errors import ForgedBlockError, TooFewShardsError
from statehold_zstor.codec._header import Header
from statehold_zstor.codec._keys import EditionKey
from statehold_zstor.codec._opening import Chosen, open_block, remake
from statehold_zstor.codec._sound import Expected, Group, checked, grouped

#: How many combinations of shards are tried until it is said that a block is forged: all of 16 of 20.
TRIES: Final = 5_000


class Plain(Lent[Bytes]):
    """One block of an object, read.

    Attributes:
        position: of the block in its object, from 0.
        last: whether the object ends with it.
        data: what was written.
        bad: what is wrong with shards that were given and are not sound, by index.

    """

    def __init__(self, header: Header, bad: Mapping[int, str], buffer: Bytes, pool: Pool[Bytes]) -> None:
        self.position = header.position
        self.last = bool(header.last)
        self.data = buffer.view[: header.plain]
        self.bad = bad
        super().__init__([self.data], buffer, pool)


class Decoder:
    """Decodes the blocks of one edition; any number of threads may."""

    def __init__(self, *, code: ErasureCode, key: EditionKey, pools: Pools) -> None:
        from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415 - see `derive`

        self._code = code
        self._cipher = AES(key.data)
        self._stamp = key.stamp
        self._pools = pools

    def decode(self, shards: Mapping[int, Buffer], *, position: int) -> Plain:
        """Return the block at *position* from any k sound ones of *shards*, by their index.

        More than k may be given: what is not sound among them is told and worked around. Every byte that is
        returned has been authenticated.

        Raises:
            TooFewShardsError: fewer than k of them are sound.
            ForgedBlockError: enough look sound, but none of their combinations is what was written.

        """
        return self._opened(shards, position)[0]

    def repair(self, shards: Mapping[int, Buffer], *, position: int) -> Block:
        """Return all n shards of the block, equal to those that were written; raises as `decode`."""
        plain, group, chosen = self._opened(shards, position)
        plain.release()
        return remake(self._code, group, chosen, self._pools)

    def check(self, shard: Buffer, *, index: int, position: int) -> None:
        """Raise CorruptShardError if *shard* is damaged, cut off or of another place, by header and CRC."""
        checked(memoryview(shard).cast("B"), index, self._expected(position))

    def _expected(self, position: int) -> Expected:
        return Expected(k=self._code.k, m=self._code.m, stamp=self._stamp, position=position)

    def _opened(self, shards: Mapping[int, Buffer], position: int) -> tuple[Plain, Group, Chosen]:
        groups, bad = grouped(shards, self._expected(position))
        sound = max((len(group.pieces) for group in groups), default=0)
        if sound < self._code.k:
            for group in groups[1:]:
                bad.update(dict.fromkeys(group.pieces, "its header differs from those of the others"))
            raise TooFewShardsError(position=position, sound=sound, needed=self._code.k, bad=bad)
        for tried, (group, chosen) in enumerate(islice(self._ways(groups), TRIES)):
            buffer = open_block(self._code, self._cipher, group, chosen, self._pools)
            if buffer is None:
                continue
            if tried or len(groups) > 1:
                self._expose(groups, group, chosen, bad)
            return Plain(group.header, bad, buffer, self._pools.plain), group, chosen
        raise ForgedBlockError(
            f"block {position}: {sound} shards look sound, but no {self._code.k} make what was written",
            hint="Somebody who can write to the backends made some of them",
        )

    def _ways(self, groups: list[Group]) -> Iterator[tuple[Group, Chosen]]:
        for group in groups:
            for chosen in combinations(sorted(group.pieces), self._code.k):
                yield group, chosen

    def _expose(self, groups: list[Group], opened: Group, chosen: Chosen, bad: dict[int, str]) -> None:
        with remake(self._code, opened, chosen, self._pools) as block:
            for group in groups:
                for index, piece in group.pieces.items():
                    if group is not opened or block.shards[index][_header.SIZE :] != piece:
                        bad[index] = "somebody made it: its CRC is right, and its bytes are not those written"
