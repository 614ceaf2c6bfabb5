"""Keys of editions, and where they come from."""

from __future__ import annotations

import attrs
import pytest

from statehold_zstor.codec import Codec, CodecError, Edition, MasterKey
from statehold_zstor.codec._keys import derive


def test_a_master_key_is_read_from_the_64_hex_digits_that_it_is_written_as() -> None:
    key = MasterKey.new()
    assert MasterKey.parse(key.hex()) == key != MasterKey.new()


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33])
def test_any_other_text_is_no_master_key(text: str) -> None:
    with pytest.raises(CodecError, match="a master key: expected"):
        MasterKey.parse(text)


def test_the_text_of_a_master_key_and_of_what_it_yields_shows_no_secret(
    key: MasterKey, edition: Edition
) -> None:
    made = derive(key, edition)
    assert repr(key) == "MasterKey(...)"
    assert repr(made.data) not in repr(made)
    assert not {key.hex(), made.data.hex()} & {repr(made), str(made)}


def test_an_edition_draws_a_salt_of_its_own_each_time() -> None:
    assert Edition.new(b"one", generation=1).salt != Edition.new(b"one", generation=1).salt


def test_every_part_of_an_edition_and_the_master_key_make_another_key(
    key: MasterKey, edition: Edition
) -> None:
    made = [
        derive(key, edition),
        derive(MasterKey.new(), edition),
        derive(key, attrs.evolve(edition, name=b"another")),
        derive(key, attrs.evolve(edition, generation=8)),
        derive(key, attrs.evolve(edition, salt=bytes(16))),
    ]
    assert len({one.data for one in made}) == len({one.stamp for one in made}) == len(made)
    assert derive(key, edition).data == made[0].data


@pytest.mark.parametrize(
    ("salt", "generation"), [(b"short", 1), (bytes(17), 1), (bytes(16), -1), (bytes(16), 2**64)]
)
def test_an_edition_that_cannot_be_is_an_error(salt: bytes, generation: int) -> None:
    with pytest.raises(CodecError, match="expected"):
        Edition(name=b"one", generation=generation, salt=salt)


def test_no_shard_has_a_key_or_the_name_or_the_salt_in_it(key: MasterKey, edition: Edition) -> None:
    with Codec(k=2, m=1, key=key).encoder(edition).encode(bytes(1000), position=0, last=True) as block:
        for shard in block.shards:
            text = bytes(shard)
            assert not any(
                secret in text
                for secret in (key.secret, derive(key, edition).data, edition.name, edition.salt)
            )


def test_two_writings_of_the_same_bytes_have_nothing_in_common(key: MasterKey) -> None:
    codec = Codec(k=1, m=0, key=key)
    pieces = set()
    for _ in range(3):
        edition = Edition.new(b"an object", generation=1)
        for position in range(3):
            with codec.encoder(edition).encode(bytes(16), position=position, last=False) as block:
                pieces.add(bytes(block.shards[0][-16:]))
    assert len(pieces) == 9
