"""Who may write to a store: one machine at a time, the one that came last.

The object `head` says whose turn it is, and is only replaced by who has read it. A machine writes below a
term of its own, so that two never write over each other, and looks after each write whether it is still its
turn; only then is the write acknowledged. Who takes over replaces the head first and reads then: what was
acknowledged before is among what it reads.
"""

from __future__ import annotations

import platform
import re
import time
from typing import Final

import attrs
import msgspec

from statehold_qsfs.protection._errors import (
    FencedError,
    ProtectionError,
    StoreChangedError,
    StoreMissingError,
)
from statehold_qsfs.protection._state import State, decode_change
from statehold_qsfs.protection._store import Store

_TRIES: Final = 10
_TERM: Final = re.compile(r"([0-9a-f]{8,})-[0-9a-f]{12}/")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Whose turn it is.

    Attributes:
        epoch: which turn: each has the number after that of the one before.
        owner: the folder that writes, by a random name.
        ancestors: the terms before this one: the first that has a base is where this one goes on.
        since: when it began, in seconds since 1970.
        host: the machine, for messages.

    """

    epoch: int
    owner: str
    ancestors: tuple[str, ...]
    since: float
    host: str

    @property
    def term(self) -> str:
        """What the names of its objects begin with, below the prefix."""
        return f"{self.epoch:08x}-{self.owner[:12]}"


# Made here: two threads that are the first to decode a type would end the process.
_HEAD: Final = msgspec.msgpack.Decoder(Head)


@attrs.frozen
class Claim:
    """The turn of this machine.

    Attributes:
        store: the store.
        prefix: what all names begin with.
        head: what it has written.
        generation: of the object `head`, as long as nobody else has taken over.

    """

    store: Store
    prefix: str
    head: Head
    generation: int

    @property
    def base(self) -> str:
        """The name of the base of this term."""
        return _base(self.prefix, self.head.term)

    def log(self, seq: int) -> str:
        """Return the name of a change."""
        return _log(self.prefix, self.head.term, seq)

    def name(self, number: int) -> str:
        """Return the name of an object with bytes of segments."""
        return f"{self.prefix}/{self.head.term}/{number:08x}"

    def is_older(self, name: str) -> bool:
        """Whether an object is of a term before this one."""
        found = _TERM.match(name.removeprefix(f"{self.prefix}/"))
        return found is not None and int(found[1], 16) < self.head.epoch

    def check(self) -> None:
        """Return if all that has been written so far is of this turn; `FencedError` if another has begun."""
        if self.store.generation(_head(self.prefix)) == self.generation:
            return
        found = read_head(self.store, self.prefix)
        raise fenced(found)

    def load(self) -> State:
        """Return the state that this term goes on from: that of the last one that had any."""
        for term in (self.head.term, *self.head.ancestors):
            base = _base(self.prefix, term)
            try:
                state = State.decode(self.store.read(base))
            except StoreMissingError:
                continue
            state.objects.add(base)
            while True:
                name = _log(self.prefix, term, state.seq + 1)
                try:
                    data = self.store.read(name)
                except StoreMissingError:
                    return state
                change, start = decode_change(data)
                state.apply(change, name, start)
        return State()


def take(store: Store, prefix: str, owner: str, *, over: bool) -> Claim:
    """Begin a new term of *owner*; all others may not write any more.

    Args:
        store: the store.
        prefix: what all names begin with.
        owner: the folder that writes.
        over: whether to begin it also where another owner has the turn.

    Raises:
        FencedError: another owner has the turn.
        StoreError: the store does not answer.

    """
    for _ in range(_TRIES):
        generation = store.generation(_head(prefix))
        found = read_head(store, prefix) if generation else None
        if found is not None and found.owner != owner and not over:
            raise fenced(found)
        new = Head(
            epoch=found.epoch + 1 if found is not None else 1,
            owner=owner,
            ancestors=_ancestors(store, prefix, found) if found is not None else (),
            since=time.time(),
            host=platform.node(),
        )
        try:
            generation = store.put(_head(prefix), msgspec.msgpack.encode(new), expected=generation)
        except StoreChangedError:
            continue
        return Claim(store, prefix, new, generation)
    raise ProtectionError(
        f"{_head(prefix)}: others take over again and again", hint="Let one machine have the store"
    )


def read_head(store: Store, prefix: str) -> Head | None:
    """Return whose turn it is; None where nobody had one yet."""
    try:
        return _HEAD.decode(store.read(_head(prefix)))
    except StoreMissingError:
        return None
    except msgspec.DecodeError as error:
        raise ProtectionError(f"{_head(prefix)} cannot be understood: {error}") from error


def fenced(head: Head | None) -> FencedError:
    """Return what a machine is told whose turn is over."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(head.since)) if head is not None else ""
    who = f"{head.host} has taken over at {since}" if head is not None else "its head is gone"
    return FencedError(
        f"the store does not take what is written here any more: {who}",
        hint="What was written here since is only here; to go on here, restore into an empty folder",
    )


def _ancestors(store: Store, prefix: str, head: Head) -> tuple[str, ...]:
    terms = []
    for term in (head.term, *head.ancestors):
        terms.append(term)
        if store.generation(_base(prefix, term)):
            break
    return tuple(terms)


def _head(prefix: str) -> str:
    return f"{prefix}/head"


def _base(prefix: str, term: str) -> str:
    return f"{prefix}/{term}/base"


def _log(prefix: str, term: str, seq: int) -> str:
    return f"{prefix}/{term}/log-{seq:012}"
