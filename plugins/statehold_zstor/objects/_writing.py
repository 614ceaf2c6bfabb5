from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial

import attrs

from statehold_zstor.backends import Backend, BackendError, Buffer
from statehold_zstor.codec import Block
from statehold_zstor.metadata import Leftover, ObjectMeta
from statehold_zstor.objects._crew import ahead
from statehold_zstor.objects._errors import NotStoredError
from statehold_zstor.objects._pieces import new_edition, piece_key
from statehold_zstor.objects._sources import Source, pieces_of
from statehold_zstor.objects._world import World

_SALT = 16


@attrs.define(eq=False)
class Writing:
    """Writes the shards of one object to backends.

    Attributes:
        failed: what became of the shards that could not be written, by number.
        blocks: how many blocks were begun.

    """

    _world: World
    _key: str
    _keys: str
    _places: Mapping[int, str]
    failed: dict[int, str] = attrs.field(factory=dict, init=False)
    blocks: int = attrs.field(default=0, init=False)

    def run(self, source: Source, progress: Callable[[int], None], *, single: bool) -> ObjectMeta:
        """Write all of *source*, and return what there is then, which nobody knows of yet.

        Args:
            source: the bytes.
            progress: gets the bytes that are done.
            single: whether they are known to be one block.

        Raises:
            NotStoredError: too few backends took it to read it again.

        """
        from isal.isal_zlib import crc32  # noqa: PLC0415  one of the extra's

        codec = self._world.codec()
        salt = os.urandom(_SALT)
        encoder = codec.encoder(new_edition(self._key, self._keys, salt))
        size = checksum = 0

        def jobs() -> Iterator[tuple[Callable[[], Block], int, int]]:
            nonlocal size, checksum
            for position, (plain, last) in enumerate(pieces_of(source, codec.block_size)):
                self.blocks += 1
                size += len(plain)
                checksum = crc32(plain, checksum)
                encode = partial(encoder.encode, plain, position=position, last=last)
                yield encode, position, len(plain)

        with closing(ahead(jobs(), self._put, size=codec.block_size, single=single)) as done:
            for count in done:
                progress(count)
        return ObjectMeta(
            key=self._key,
            generation=0,
            size=size,
            checksum=checksum,
            stored=0.0,
            minimal=codec.k,
            expected=codec.n,
            block_size=codec.block_size,
            salt=salt,
            keys=self._keys,
            places=tuple(
                self._places.get(shard, "") if shard not in self.failed else "" for shard in range(codec.n)
            ),
            leftovers=tuple(
                Leftover(backend=self._places[shard], keys=self._shard(shard), values=self.blocks)
                for shard in self.failed
            ),
        )

    def written(self) -> Iterable[Leftover]:
        """Return all that may have been written, to delete it again."""
        for shard, place in self._places.items():
            yield Leftover(backend=place, keys=self._shard(shard), values=self.blocks)

    def _shard(self, shard: int) -> str:
        return f"{self._keys}.{shard}"

    def _put(self, job: tuple[Callable[[], Block], int, int]) -> int:
        encode, position, size = job
        with encode() as block:
            targets = {
                shard: (place, piece_key(self._shard(shard), position), block.shards[shard])
                for shard, place in self._places.items()
                if shard not in self.failed
            }
            self.failed.update(put_all(self._world, targets))
        if len(self._places) - len(self.failed) < self._world.rules.minimal:
            wrong = "; ".join(f"{self._places[shard]}: {why}" for shard, why in sorted(self.failed.items()))
            raise NotStoredError(
                f"{self._key!r} is not stored: too few backends take it: {wrong}",
                hint="What was there before is there still. Try again when they answer",
            )
        return size


def put_all(world: World, targets: Mapping[int, tuple[str, str, Buffer]]) -> dict[int, str]:
    """Put pieces on backends, each under a key, and return what became of those that failed."""
    futures = {
        shard: world.lanes[place].submit(partial(_put, key, piece))
        for shard, (place, key, piece) in targets.items()
    }
    failed = {}
    for shard, future in futures.items():
        try:
            future.result()
        except BackendError as error:
            failed[shard] = error.message
    return failed


def _put(key: str, piece: Buffer, backend: Backend) -> None:
    backend.put(key, piece)
