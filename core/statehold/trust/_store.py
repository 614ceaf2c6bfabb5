from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import attrs

from statehold.images import json_type, read_json_object
from statehold.sdk import replace_file
from statehold.trust._errors import TrustError
from statehold.trust._keys import PublicKey

FORMAT = 1

_STORE_BYTES = 4 << 20
_KEYS = {"format", "unsigned", "owners"}
_MEND = "Nothing is deployed or brought back until it is mended"


class Rule(StrEnum):
    """What becomes of an owner's images that nobody has signed."""

    REFUSE = "refuse"
    ISOLATED = "isolated"


@attrs.frozen(kw_only=True)
class TrustedKey:
    """A key that may sign an owner's images.

    Attributes:
        public: the key.
        comment: what it is for, for people.
        expires: seconds since 1970 after which no new image is taken on its word; None for never.
        revoked: seconds since 1970 when it was revoked: nothing is taken on its word; None where it is not.

    """

    public: PublicKey
    comment: str = ""
    expires: float | None = None
    revoked: float | None = None


@attrs.frozen(kw_only=True)
class OwnerTrust:
    """What a host believes about the images of one owner; a rule of None is the store's own."""

    unsigned: Rule | None = None
    keys: Mapping[str, TrustedKey] = attrs.field(factory=lambda: MappingProxyType({}))


@attrs.frozen(kw_only=True)
class TrustStore:
    """Whose images a host takes: its owners with their keys, and the rule for those without one."""

    unsigned: Rule = Rule.REFUSE
    owners: Mapping[str, OwnerTrust] = attrs.field(factory=lambda: MappingProxyType({}))

    def rule(self, owner: str) -> Rule:
        """Return what becomes of unsigned images of *owner*."""
        found = self.owners.get(owner)
        return self.unsigned if found is None or found.unsigned is None else found.unsigned

    def keys(self, owner: str) -> Mapping[str, TrustedKey]:
        """Return the keys of *owner*, by id."""
        found = self.owners.get(owner)
        return MappingProxyType({}) if found is None else found.keys

    def owners_of(self, key: str) -> tuple[str, ...]:
        """Return whose key it is that has the id *key*."""
        return tuple(owner for owner, trust in self.owners.items() if key in trust.keys)

    def with_owner(self, owner: str, trust: OwnerTrust) -> TrustStore:
        """Return this store with another belief about *owner*."""
        return attrs.evolve(self, owners=MappingProxyType({**self.owners, owner: trust}))

    def with_key(self, owner: str, key: TrustedKey) -> TrustStore:
        """Return this store with *key* as one of the keys of *owner*."""
        before = self.owners.get(owner, OwnerTrust())
        keys = MappingProxyType({**before.keys, key.public.id: key})
        return self.with_owner(owner, attrs.evolve(before, keys=keys))

    def dump(self) -> bytes:
        """Return the text of the store's file."""
        content = {
            "format": FORMAT,
            "unsigned": self.unsigned.value,
            "owners": {owner: _dumped(trust) for owner, trust in sorted(self.owners.items())},
        }
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def read_store(path: Path) -> TrustStore:
    """Return the trust store at *path*.

    Raises:
        TrustError: it is not there, cannot be read, belongs to another user than root or the host's, may be
            written by others than its owner, or holds anything that is not understood.

    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            mode = found.st_mode
            data = file.read(_STORE_BYTES + 1) if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise TrustError(f"the trust store {path} cannot be read: {error.strerror}", hint=_MEND) from error
    if not stat.S_ISREG(mode):
        raise TrustError(f"the trust store {path} is no regular file", hint=_MEND)
    if mode & 0o022:
        raise TrustError(
            f"the trust store {path} may be written by others (mode {stat.S_IMODE(mode):03o})",
            hint=f"chmod go-w {path}. {_MEND}",
        )
    if found.st_uid not in (0, os.geteuid()):
        raise TrustError(
            f"the trust store {path} belongs to another user (uid {found.st_uid}), who may write to it",
            hint=f"It has to be root's, or that of the host's user (uid {os.geteuid()}). {_MEND}",
        )
    if len(data) > _STORE_BYTES:
        raise TrustError(f"the trust store {path} has more than {_STORE_BYTES} bytes", hint=_MEND)
    content, wrong = read_json_object(data)
    problems = [problem.message for problem in wrong]
    store = TrustStore() if problems else _parsed(content, problems)
    if problems:
        raise TrustError(
            f"the trust store {path} is of no use: {'; '.join(problems)}", problems=problems, hint=_MEND
        )
    return store


def change_store(path: Path, change: Callable[[TrustStore], TrustStore]) -> TrustStore:
    """Replace the store at *path* by what *change* makes of it, in one step; return that.

    Where there is none, *change* gets a new one, which takes no unsigned image of anybody.

    Raises:
        TrustError: the store cannot be read.
        OSError: it cannot be written.

    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        store = change(read_store(path) if os.path.lexists(path) else TrustStore())
        replace_file(path, store.dump(), mode=0o644)
    finally:
        os.close(folder)
    return store


def _dumped(trust: OwnerTrust) -> dict[str, object]:
    found: dict[str, object] = {} if trust.unsigned is None else {"unsigned": trust.unsigned.value}
    found["keys"] = {
        name: {
            "public": base64.b64encode(key.public.raw).decode(),
            **({"comment": key.comment} if key.comment else {}),
            **{
                word: datetime.fromtimestamp(moment, UTC).isoformat()
                for word, moment in (("expires", key.expires), ("revoked", key.revoked))
                if moment is not None
            },
        }
        for name, key in sorted(trust.keys.items())
    }
    return found


def _parsed(content: Mapping[str, object], problems: list[str]) -> TrustStore:
    if content.get("format") != FORMAT or isinstance(content.get("format"), bool):
        problems.append(f"this version reads trust stores of format {FORMAT}, this one names another")
        return TrustStore()
    _known(content, _KEYS, "", problems)
    # Without the word, it is the strict rule; a word that nobody knows is none.
    rule = _rule(content.get("unsigned", "refuse"), "unsigned", problems) or Rule.REFUSE
    owners: dict[str, OwnerTrust] = {}
    listed = content.get("owners")
    if not isinstance(listed, dict):
        problems.append(f"owners: expected an object, got {json_type(listed)}")
        return TrustStore()
    for owner, entry in listed.items():
        where = f"owners.{owner}"
        if not isinstance(entry, dict):
            problems.append(f"{where}: expected an object, got {json_type(entry)}")
            continue
        _known(entry, {"unsigned", "keys"}, f"{where}.", problems)
        own = _rule(entry["unsigned"], f"{where}.unsigned", problems) if "unsigned" in entry else None
        keys = entry.get("keys", {})
        if not isinstance(keys, dict):
            problems.append(f"{where}.keys: expected an object, got {json_type(keys)}")
            continue
        found = {name: _key(name, key, f"{where}.keys.{name}", problems) for name, key in keys.items()}
        owners[owner] = OwnerTrust(
            unsigned=own,
            keys=MappingProxyType({name: key for name, key in found.items() if key is not None}),
        )
    return TrustStore(unsigned=rule, owners=MappingProxyType(owners))


def _key(name: str, entry: object, where: str, problems: list[str]) -> TrustedKey | None:
    if not isinstance(entry, dict):
        problems.append(f"{where}: expected an object, got {json_type(entry)}")
        return None
    _known(entry, {"public", "comment", "expires", "revoked"}, f"{where}.", problems)
    text = entry.get("public")
    try:
        public = PublicKey(base64.b64decode(text, validate=True)) if isinstance(text, str) else None
    except (binascii.Error, ValueError, TrustError):
        public = None
    if public is None:
        problems.append(f"{where}.public: expected the 32 bytes of an Ed25519 key in base64")
        return None
    if public.id != name:
        problems.append(f"{where}: the key there has the id {public.id}")
        return None
    comment = entry.get("comment", "")
    if not isinstance(comment, str):
        problems.append(f"{where}.comment: expected text, got {json_type(comment)}")
        return None
    moments = {
        word: _moment(entry[word], f"{where}.{word}", problems)
        for word in ("expires", "revoked")
        if word in entry
    }
    return TrustedKey(public=public, comment=comment, **moments)


def _moment(value: object, where: str, problems: list[str]) -> float:
    # What is written must be understood: an empty "revoked" is no key that is not revoked.
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        problems.append(f"{where}: expected a time such as 2027-01-31T12:00:00+00:00")
        return 0.0
    return found.timestamp()


def _rule(value: object, where: str, problems: list[str]) -> Rule | None:
    if isinstance(value, str) and value in list(Rule):
        return Rule(value)
    problems.append(f"{where}: expected one of {', '.join(Rule)}")
    return None


def _known(content: Mapping[str, object], known: Iterable[str], where: str, problems: list[str]) -> None:
    problems += [f"{where}{key}: there is no such setting" for key in sorted(content.keys() - set(known))]
