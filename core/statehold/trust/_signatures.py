from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Self

import attrs

from statehold.images import json_type, read_json_object
from statehold.trust._errors import TrustError
from statehold.trust._keys import SIGNATURE_BYTES, SigningKey

FORMAT = 1

_KEYS = {"format", "digest", "signatures"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"[0-9a-f]{32}")
_MOST = 64


def statement(app: str, digest: str, key: str) -> bytes:
    """Return the bytes that a signature is over: this key says that this app is these contents."""
    return f"statehold signature {FORMAT}\n{app}\n{digest}\n{key}\n".encode()


@attrs.frozen(kw_only=True)
class Signature:
    """What one key says about an image: the key's id, and 64 bytes."""

    key: str
    value: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Signatures:
    """The signatures in an image, all over the digest of its contents: signatures.json.

    They are no part of what the digest is of, so that signing changes no digest and a second key can
    sign what the first one has.
    """

    digest: str
    signatures: tuple[Signature, ...]

    def __iter__(self) -> Iterator[Signature]:
        """Yield each signature, in the order of its key's id."""
        return iter(self.signatures)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return what is in the signatures.json of an image.

        Raises:
            TrustError: anything in it is not as `statehold sign` writes it.

        """
        content, problems = read_json_object(data)
        found = [problem.message for problem in problems] or list(_faults(content))
        if found:
            raise TrustError(
                f"the signatures of the image are of no use: {'; '.join(found)}",
                problems=found,
                hint="Build the image again and sign it: statehold sign",
            )
        digest, listed = content["digest"], content["signatures"]
        assert isinstance(digest, str)  # noqa: S101 - looked at above
        assert isinstance(listed, list)  # noqa: S101 - likewise
        signatures = tuple(
            Signature(key=entry["key"], value=base64.b64decode(entry["signature"])) for entry in listed
        )
        return cls(digest=digest, signatures=signatures)

    def dump(self) -> bytes:
        """Return the text of signatures.json, the same for the same signatures."""
        content = {
            "format": FORMAT,
            "digest": self.digest,
            "signatures": [
                {"key": one.key, "signature": base64.b64encode(one.value).decode()}
                for one in sorted(self.signatures, key=lambda one: one.key)
            ],
        }
        return (json.dumps(content, indent=2) + "\n").encode()

    def signed(self, app: str, key: SigningKey) -> Self:
        """Return these signatures with the one of *key*."""
        name = key.public.id
        new = Signature(key=name, value=key.sign(statement(app, self.digest, name)))
        others = (one for one in self.signatures if one.key != name)
        return attrs.evolve(self, signatures=tuple(sorted((*others, new), key=lambda one: one.key)))


def _faults(content: dict[str, object]) -> Iterator[str]:
    if content.get("format") != FORMAT or isinstance(content.get("format"), bool):
        yield f"this version reads signatures of format {FORMAT}, these name another"
        return
    for key in sorted(content.keys() - _KEYS):
        yield f"unknown key {key!r}"
    digest = content.get("digest")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        yield f"digest: expected 64 hex digits, got {json_type(digest) if digest != '' else 'nothing'}"
    listed = content.get("signatures")
    if not isinstance(listed, list):
        yield f"signatures: expected a list, got {json_type(listed)}"
        return
    if not 0 < len(listed) <= _MOST:
        yield f"signatures: expected 1 to {_MOST}, got {len(listed)}"
        return
    seen = set()
    for number, entry in enumerate(listed, 1):
        match entry:
            case {"key": str(key), "signature": str(text), **rest} if not rest and _KEY_ID.fullmatch(key):
                if key in seen:
                    yield f"signature {number}: the key {key} has signed twice"
                seen.add(key)
                if len(_decoded(text)) != SIGNATURE_BYTES:
                    yield f"signature {number}: expected {SIGNATURE_BYTES} bytes in base64"
            case _:
                yield f"signature {number} needs a key's id and a signature, and nothing else"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
