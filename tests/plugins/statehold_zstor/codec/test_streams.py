"""Objects as a stream of blocks."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from statehold_zstor.codec import Block, Codec, CodecError, Compression, Edition, MasterKey, TruncatedError

SIZE = 100


@pytest.fixture(params=list(Compression))
def codec(request: pytest.FixtureRequest, key: MasterKey) -> Codec:
    return Codec(k=3, m=2, key=key, block_size=SIZE, compression=request.param)


def kept(block: Block) -> dict[int, bytes]:
    with block:
        return {index: bytes(shard) for index, shard in enumerate(block.shards)}


def written(codec: Codec, edition: Edition, plain: bytes) -> list[dict[int, bytes]]:
    return [kept(block) for block in codec.encode(io.BytesIO(plain), edition)]


def read(codec: Codec, edition: Edition, blocks: list[dict[int, bytes]]) -> bytes:
    return b"".join(bytes(plain.data) for plain in codec.decode(blocks, edition))


@pytest.mark.parametrize(
    ("size", "blocks"),
    [(0, 1), (1, 1), (SIZE - 1, 1), (SIZE, 1), (SIZE + 1, 2), (5 * SIZE, 5), (5 * SIZE + 1, 6)],
)
@pytest.mark.parametrize("of", ["noise", "text"])
def test_an_object_is_read_as_it_was_written(
    size: int, blocks: int, of: str, codec: Codec, edition: Edition
) -> None:
    plain = os.urandom(size) if of == "noise" else (b"text " * size)[:size]
    shards = written(codec, edition, plain)
    assert len(shards) == blocks
    assert read(codec, edition, shards) == plain
    assert read(codec, edition, [{index: block[index] for index in (1, 3, 4)} for block in shards]) == plain


def test_only_the_last_block_says_that_it_is(codec: Codec, edition: Edition) -> None:
    blocks = list(codec.encode(io.BytesIO(bytes(3 * SIZE)), edition))
    assert [(block.position, block.last) for block in blocks] == [(0, False), (1, False), (2, True)]


@pytest.mark.parametrize("size", [SIZE, 3 * SIZE, 3 * SIZE + 1])
def test_an_object_that_was_cut_off_is_an_error(size: int, codec: Codec, edition: Edition) -> None:
    blocks = written(codec, edition, os.urandom(size))
    for kept_blocks in range(len(blocks)):
        with pytest.raises(TruncatedError, match=f"expected more than {kept_blocks} blocks"):
            read(codec, edition, blocks[:kept_blocks])


def test_an_object_that_goes_on_after_its_end_is_an_error(codec: Codec, edition: Edition) -> None:
    blocks = written(codec, edition, os.urandom(2 * SIZE))
    with pytest.raises(TruncatedError, match="expected its end after 2 blocks, got another one"):
        read(codec, edition, [*blocks, blocks[1]])


def test_blocks_in_another_order_are_an_error(codec: Codec, edition: Edition) -> None:
    blocks = written(codec, edition, os.urandom(3 * SIZE))
    with pytest.raises(CodecError, match="position: expected 0, got 1"):
        read(codec, edition, [blocks[1], blocks[0], blocks[2]])


def test_a_source_may_give_fewer_bytes_than_there_is_room_for(codec: Codec, edition: Edition) -> None:
    plain = os.urandom(3 * SIZE + 7)

    class Slow(io.BytesIO):
        def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
            return super().readinto(buffer[:3])

    blocks = [kept(block) for block in codec.encode(Slow(plain), edition)]
    assert len(blocks) == 4
    assert read(codec, edition, blocks) == plain


def test_a_source_that_does_not_wait_is_an_error_not_an_end(codec: Codec, edition: Edition) -> None:
    class Hurried:
        def readinto(self, _: memoryview, /) -> None:
            return None

    with pytest.raises(BlockingIOError):
        next(codec.encode(Hurried(), edition))


STREAM = """
import os, sys
from statehold_zstor.codec import Codec, Edition, MasterKey

MIB = 1024 * 1024
pattern = os.urandom(MIB + 4099)  # No block has the bytes of another one.
size = int(sys.argv[1]) * MIB

class Source:
    done = 0

    def readinto(self, buffer):
        start = self.done * 13 % len(pattern)
        count = min(len(buffer), size - self.done, len(pattern) - start, 65536)
        buffer[:count] = memoryview(pattern)[start : start + count]
        self.done += count
        return count

codec = Codec(k=16, m=4, key=MasterKey.new())
edition = Edition.new(b"large", generation=1)

def lossy():
    for block in codec.encode(Source(), edition):
        with block:
            yield {index: bytes(block.shards[index]) for index in range(4, 20)}

again, got, check = Source(), 0, memoryview(bytearray(65536))
for plain in codec.decode(lossy(), edition):
    with plain:
        at = 0
        while at < len(plain.data):
            count = again.readinto(check[: len(plain.data) - at])
            assert plain.data[at : at + count] == check[:count]
            at += count
        got += at
assert got == size
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.parametrize("mib", [256, pytest.param(1024, marks=pytest.mark.soak)])
def test_an_object_of_any_size_takes_the_memory_of_a_few_blocks(mib: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STREAM, str(mib)], capture_output=True, text=True, check=True, timeout=600
    )
    assert int(done.stdout) / 1024 < 200
