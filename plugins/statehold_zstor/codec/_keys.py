"""Keys: one for each writing of each object, derived from the master key, stored nowhere."""

from __future__ import annotations

import os
from typing import Final, Self

import attrs

from statehold_zstor.codec._errors import CodecError

KEY_SIZE: Final = 32
SALT_SIZE: Final = 16
STAMP_SIZE: Final = 16


@attrs.frozen(repr=False)
class MasterKey:
    """The 32 bytes that all keys of objects are derived from; its text shows none of them."""

    secret: bytes = attrs.field()

    @secret.validator
    def _of_32_bytes(self, _: object, secret: bytes) -> None:
        if len(secret) != KEY_SIZE:
            raise CodecError(
                f"a master key: expected {KEY_SIZE} bytes, got {len(secret)}",
                hint="`MasterKey.new().hex()` makes one",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key that 64 hex digits say; CodecError for any other text."""
        try:
            return cls(bytes.fromhex(text))
        except ValueError:
            raise CodecError("a master key: expected 64 hex digits") from None

    @classmethod
    def new(cls) -> Self:
        """Return a key of random bytes."""
        return cls(os.urandom(KEY_SIZE))

    def hex(self) -> str:
        """Return the key as 64 hex digits, for a configuration."""
        return self.secret.hex()

    def __repr__(self) -> str:
        return "MasterKey(...)"


def _u64(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    if not 0 <= value < 2**64:
        raise CodecError(f"{attribute.name}: expected 0 to 2**64 - 1, got {value}")


@attrs.frozen(kw_only=True)
class Edition:
    """One writing of one object, to which all of its shards belong.

    No part is a secret. Whoever wants to read the object needs all three, and the master key.

    Attributes:
        name: the object's, as bytes.
        generation: which writing of the object it is.
        salt: 16 random bytes, drawn anew for each writing.

    """

    name: bytes
    generation: int = attrs.field(validator=_u64)
    salt: bytes = attrs.field()

    @salt.validator
    def _of_16_bytes(self, _: attrs.Attribute[bytes], salt: bytes) -> None:
        if len(salt) != SALT_SIZE:
            raise CodecError(f"salt: expected {SALT_SIZE} bytes, got {len(salt)}")

    @classmethod
    def new(cls, name: bytes, *, generation: int) -> Self:
        """Return an edition with a salt of its own: what is written in it has a key of its own."""
        return cls(name=name, generation=generation, salt=os.urandom(SALT_SIZE))


@attrs.frozen(kw_only=True, repr=False)
class EditionKey:
    """What the master key yields for an edition.

    Attributes:
        data: the key of AES-256-GCM.
        stamp: what every shard of the edition bears in the clear.

    """

    data: bytes
    stamp: bytes


def derive(master: MasterKey, edition: Edition) -> EditionKey:
    """Return the key and the stamp of *edition*: HKDF-SHA256, with its salt, generation and name."""
    # Half a million lines of cryptography are loaded where an object is first written or read.
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    made = HKDF(
        algorithm=SHA256(),
        length=KEY_SIZE + STAMP_SIZE,
        salt=edition.salt,
        info=b"statehold zstor edition" + edition.generation.to_bytes(8, "little") + edition.name,
    ).derive(master.secret)
    return EditionKey(data=made[:KEY_SIZE], stamp=made[KEY_SIZE:])
