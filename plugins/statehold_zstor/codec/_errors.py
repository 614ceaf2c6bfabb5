from __future__ import annotations

from collections.abc import Mapping

from statehold.sdk import StateholdError


class CodecError(StateholdError):
    """What cannot be encoded or decoded."""


class CorruptShardError(CodecError):
    """A shard is not what was written: damaged, cut off, or of another place, object or edition."""


class TooFewShardsError(CodecError):
    """A block cannot be read: fewer shards than it takes are there and sound.

    Attributes:
        position: of the block in its object.
        sound: how many shards are.
        needed: how many are needed, `k`.
        bad: what is wrong with those that are there and not sound, by index.

    """

    def __init__(self, *, position: int, sound: int, needed: int, bad: Mapping[int, str]) -> None:
        wrong = "".join(f"; shard {index}: {what}" for index, what in sorted(bad.items()))
        super().__init__(
            f"block {position}: expected {needed} sound shards, got {sound}{wrong}",
            hint="Bring a backend back that holds another one",
        )
        self.position = position
        self.sound = sound
        self.needed = needed
        self.bad = dict(bad)


class ForgedBlockError(CodecError):
    """Shards that look sound do not make the block that was written: somebody else made some of them."""


class TruncatedError(CodecError):
    """An object ends before its last block, or goes on after it."""
