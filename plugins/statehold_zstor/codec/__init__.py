"""The codec: a block of an object becomes n shards, of which any k give it back.

How it works:

- A block (1 MiB unless told otherwise) is compressed, if that makes it smaller (where it is large and
  Snappy's, samples of it tell), encrypted with AES-256-GCM and cut into k pieces, to which an erasure code
  adds m. Each piece behind its header is a shard.
- The erasure code is Reed-Solomon over GF(256) by ISA-L, with a Cauchy matrix: every k of its n rows can be
  inverted, so that no set of m lost shards is worse than another.
- A header says where its shard belongs (edition, position, index, k and m), how long the block is, and has
  the block's tag and a CRC-32 of header and piece. Each byte is summed once in the tag and once in the CRC.
- A shard whose CRC or place is wrong is left out and named. Where the tag of a block is wrong and no CRC
  is, somebody made a shard on purpose: other combinations are tried until the tag is right. No byte is
  given out before its tag was.

Keys:

- No key is stored. Each writing of an object, an `Edition`, draws 16 random bytes, its salt, and its key is
  HKDF-SHA256 of the master key with the salt, the generation and the object's name. Salts are stored with the
  metadata of the object and are no secret.
- The nonce is the position of the block. It cannot repeat under a key: an edition is written once, and an
  `Encoder` refuses a position that it has had.
- The tag is also over the place of the block: object and edition by the key, position, lengths, k and m and
  whether it is the last by the header. A block moved elsewhere, an object cut off, is an error.
"""

from __future__ import annotations

from statehold_zstor.codec._codec import Codec, Source
from statehold_zstor.codec._compression import Compression
from statehold_zstor.codec._decoding import Decoder, Plain
from statehold_zstor.codec._encoding import Block, Encoder
from statehold_zstor.codec._errors import (
    CodecError,
    CorruptShardError,
    ForgedBlockError,
    TooFewShardsError,
    TruncatedError,
)
from statehold_zstor.codec._keys import Edition, MasterKey

__all__ = [
    "Block",
    "Codec",
    "CodecError",
    "Compression",
    "CorruptShardError",
    "Decoder",
    "Edition",
    "Encoder",
    "ForgedBlockError",
    "MasterKey",
    "Plain",
    "Source",
    "TooFewShardsError",
    "TruncatedError",
]
