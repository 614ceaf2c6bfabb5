from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import attrs

from statehold.trust._errors import TrustError
from statehold.trust._signatures import Signature, Signatures, statement
from statehold.trust._store import Rule, TrustedKey, TrustStore, read_store


class Signed(Protocol):
    """What is judged of an image; its digest is what was verified when it was opened."""

    @property
    def app(self) -> str:
        """`owner.app`."""

    @property
    def version(self) -> str:
        """The version's name."""

    @property
    def digest(self) -> str:
        """What the signatures must be over."""

    @property
    def signatures(self) -> bytes | None:
        """Its signatures.json; None where it has none."""


@attrs.frozen(kw_only=True)
class Verdict:
    """That an image is taken, and how.

    Attributes:
        keys: the ids of its owner's keys that have signed it.
        isolated: whether it is taken though nobody has signed it, if none of its Python runs in this process.

    """

    keys: tuple[str, ...] = ()
    isolated: bool = False


@attrs.frozen(kw_only=True)
class Trust:
    """Says whether an image is taken, by the trust store at `path`; without a store, every one is.

    The store is read each time, so that a key that is revoked counts at once.
    """

    path: Path | None

    def judge(self, image: Signed, *, at: float | None = None) -> Verdict:
        """Return that *image* is taken.

        *at* is when the host took it first, in seconds since 1970, now by default: a key counts if it had
        not expired then.

        Raises:
            TrustError: it is not taken, or the store cannot be read.

        """
        if self.path is None:
            return Verdict()
        return judge(read_store(self.path), image, at=time.time() if at is None else at)


def judge(store: TrustStore, image: Signed, *, at: float) -> Verdict:
    """Return that *image* is taken by *store*, or raise TrustError; see `Trust.judge`."""
    owner = image.app.partition(".")[0]
    if image.signatures is None:
        if store.rule(owner) is Rule.ISOLATED:
            return Verdict(isolated=True)
        raise TrustError(
            f"{image.app} {image.version} is not signed, and this host takes no unsigned image of {owner}",
            hint="Sign it with a key that the host trusts: statehold sign IMAGE --key FILE",
        )
    # Whatever the rule for unsigned images: one with signatures stands or falls by them.
    signatures = Signatures.parse(image.signatures)
    if signatures.digest != image.digest:
        raise TrustError(
            f"{image.app} {image.version} has signatures over other contents (digest "
            f"{signatures.digest[:12]}..., its own: {image.digest[:12]}...)",
            hint="Build the image again and sign that",
        )
    valid = []
    problems = []
    for one in signatures:
        problem = problem_of(store, image, owner, one, at=at)
        if problem:
            problems.append(problem)
        else:
            valid.append(one.key)
    if not valid:
        raise TrustError(
            f"{image.app} {image.version} is signed by no key that this host trusts: {'; '.join(problems)}",
            problems=problems,
            hint=f"Sign it with a key of {owner}, or have the key trusted: statehold trust add {owner} KEY",
        )
    return Verdict(keys=tuple(valid))


def problem_of(store: TrustStore, image: Signed, owner: str, signature: Signature, *, at: float) -> str:
    """Return why *signature* says nothing; raise TrustError where a trusted key's is forged."""
    key = store.keys(owner).get(signature.key)
    if key is None:
        others = store.owners_of(signature.key)
        if others:
            return f"key {signature.key} is trusted for {', '.join(others)}, not for {owner}"
        return f"key {signature.key} is not known here"
    if not key.public.verifies(signature.value, statement(image.app, image.digest, signature.key)):
        raise TrustError(
            f"{image.app} {image.version} has a signature of key {signature.key} that the key has not made",
            hint="It was made for something else, or damaged: build the image again and sign that",
        )
    return _unusable(key, at)


def _unusable(key: TrustedKey, at: float) -> str:
    if key.revoked is not None:
        return f"key {key.public.id} was revoked on {_day(key.revoked)}"
    if key.expires is not None and at >= key.expires:
        return f"key {key.public.id} expired on {_day(key.expires)}"
    return ""


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")
