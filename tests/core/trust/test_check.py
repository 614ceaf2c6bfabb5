from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from statehold.images import open_image
from statehold.trust import (
    OwnerTrust,
    Rule,
    Signature,
    Signatures,
    SigningKey,
    Trust,
    TrustedKey,
    TrustError,
    TrustStore,
    Verdict,
    sign_image,
)

Build = Callable[..., Path]
Change = Callable[[Callable[[TrustStore], TrustStore]], TrustStore]


def judged(path: Path, store: Path | None, *, at: float | None = None) -> Verdict:
    with open_image(path) as image:
        return Trust(path=store).judge(image, at=at)


def stamped(path: Path, signatures: bytes) -> Path:
    with open_image(path) as image:
        image.save(path, signatures=signatures)
    return path


def document(signed: Signatures, **changes: Any) -> bytes:
    return json.dumps({**json.loads(signed.dump()), **changes}).encode()


def test_a_host_without_a_trust_store_takes_any_image(build: Build) -> None:
    assert judged(build(), None) == Verdict()


def test_an_image_that_a_trusted_key_has_signed_is_taken(build: Build, key: SigningKey, store: Path) -> None:
    path = build()
    sign_image(path, key)
    assert judged(path, store) == Verdict(keys=(key.public.id,))


def test_an_unsigned_image_is_refused(build: Build, store: Path) -> None:
    with pytest.raises(TrustError, match="is not signed"):
        judged(build(), store)


def test_an_unsigned_image_of_an_owner_that_is_not_named_is_refused(build: Build, store: Path) -> None:
    with pytest.raises(TrustError, match="no unsigned image of other"):
        judged(build("other.bills"), store)


def test_an_unsigned_image_is_taken_isolated_where_the_owner_s_rule_says_so(
    build: Build, trusting: Change, store: Path
) -> None:
    trusting(lambda store: store.with_owner("lab", OwnerTrust(unsigned=Rule.ISOLATED)))
    assert judged(build("lab.bills"), store) == Verdict(isolated=True)
    with pytest.raises(TrustError, match="is not signed"):
        judged(build(), store)


def test_the_rule_for_all_is_of_owners_without_one(build: Build, trusting: Change, store: Path) -> None:
    trusting(lambda store: attrs.evolve(store, unsigned=Rule.ISOLATED))
    assert judged(build(), store).isolated
    trusting(lambda store: store.with_owner("acme", OwnerTrust(unsigned=Rule.REFUSE)))
    with pytest.raises(TrustError):
        judged(build(), store)


def test_a_key_that_is_missing_in_the_store_is_a_refusal(build: Build, store: Path) -> None:
    path = build()
    sign_image(path, SigningKey.generate())
    with pytest.raises(TrustError, match="is not known here"):
        judged(path, store)


def test_a_key_of_another_owner_is_a_refusal(build: Build, key: SigningKey, store: Path) -> None:
    path = build("other.bills")
    sign_image(path, key)
    with pytest.raises(TrustError, match=r"trusted for acme, not for other"):
        judged(path, store)


def test_a_revoked_key_is_a_refusal_whenever_the_image_came(
    build: Build, key: SigningKey, trusting: Change, store: Path
) -> None:
    path = build()
    sign_image(path, key)
    trusting(lambda store: store.with_key("acme", TrustedKey(public=key.public, revoked=1000.0)))
    for at in (None, 1.0):
        with pytest.raises(TrustError, match="was revoked"):
            judged(path, store, at=at)


def test_an_expired_key_brings_no_new_image_and_keeps_those_that_it_brought(
    build: Build, key: SigningKey, trusting: Change, store: Path
) -> None:
    path = build()
    sign_image(path, key)
    trusting(lambda store: store.with_key("acme", TrustedKey(public=key.public, expires=1000.0)))
    assert judged(path, store, at=999.0).keys
    for at in (None, 1000.0):
        with pytest.raises(TrustError, match="expired on 1970-01-01"):
            judged(path, store, at=at)


def test_one_good_key_of_several_is_enough_so_that_keys_can_be_changed(
    build: Build, key: SigningKey, trusting: Change, store: Path
) -> None:
    path, old = build(), SigningKey.generate()
    sign_image(path, key)
    sign_image(path, old)
    sign_image(path, SigningKey.generate())
    trusting(lambda store: store.with_key("acme", TrustedKey(public=old.public, revoked=1000.0)))
    assert judged(path, store) == Verdict(keys=(key.public.id,))


def test_a_signature_over_other_bytes_is_a_refusal(build: Build, key: SigningKey, store: Path) -> None:
    signed = sign_image(build(), key)
    other = build(**{"descriptor.json": '{"NumParts": 2}'})
    with pytest.raises(TrustError, match="over other contents"):
        judged(stamped(other, signed.dump()), store)
    with open_image(other) as image:
        forged = document(signed, digest=image.digest)
    with pytest.raises(TrustError, match="that the key has not made"):
        judged(stamped(other, forged), store)


def test_a_signature_for_another_app_of_the_same_contents_is_a_refusal(
    build: Build, key: SigningKey, store: Path
) -> None:
    signed = sign_image(build("acme.sales"), key)
    with pytest.raises(TrustError):
        judged(stamped(build(), signed.dump()), store)


def test_a_forged_signature_beside_a_good_one_is_a_refusal(
    build: Build, key: SigningKey, trusting: Change, store: Path
) -> None:
    path, other = build(), SigningKey.generate()
    trusting(lambda store: store.with_key("acme", TrustedKey(public=other.public)))
    signed = sign_image(path, key)
    forged = attrs.evolve(
        signed, signatures=(*signed, Signature(key=other.public.id, value=next(iter(signed)).value))
    )
    with pytest.raises(TrustError, match="that the key has not made"):
        judged(stamped(path, forged.dump()), store)


def test_a_signature_that_claims_another_key_is_a_refusal(
    build: Build, key: SigningKey, trusting: Change, store: Path
) -> None:
    path, thief = build(), SigningKey.generate()
    stolen = next(iter(sign_image(path, thief)))
    with open_image(path) as image:
        claimed = Signatures(
            digest=image.digest, signatures=(Signature(key=key.public.id, value=stolen.value),)
        )
    with pytest.raises(TrustError, match="that the key has not made"):
        judged(stamped(path, claimed.dump()), store)


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.parametrize(
    "changes",
    [
        {"digest": None},
        {"digest": ""},
        {"digest": "0" * 64},
        {"digest": "f" * 63},
        {"signatures": []},
        {"signatures": None},
        {"signatures": [{}]},
        {"signatures": [{"key": "", "signature": ""}]},
        {"signatures": [{"key": "0" * 32, "signature": ""}]},
        {"signatures": [{"key": "0" * 32, "signature": "!"}]},
        {"signatures": [{"key": "0" * 32, "signature": base64.b64encode(bytes(64)).decode()}] * 2},
        {"format": None},
        {"format": True},
        {"format": 2},
        {"more": 1},
    ],
    ids=json.dumps,
)
def test_signatures_with_a_hole_are_a_refusal_under_every_rule(
    build: Build, key: SigningKey, trusting: Change, store: Path, rule: Rule, changes: dict[str, Any]
) -> None:
    trusting(lambda store: attrs.evolve(store, unsigned=rule))
    path = build()
    signed = sign_image(path, key)
    with pytest.raises(TrustError):
        judged(stamped(path, document(signed, **changes)), store)


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[]", b"\xff", b"{" * 5000])
def test_what_are_no_signatures_at_all_is_a_refusal_under_every_rule(
    build: Build, trusting: Change, store: Path, data: bytes
) -> None:
    trusting(lambda store: attrs.evolve(store, unsigned=Rule.ISOLATED))
    with pytest.raises(TrustError):
        judged(stamped(build(), data), store)


def test_an_empty_signature_of_a_trusted_key_is_a_refusal(build: Build, key: SigningKey, store: Path) -> None:
    path = build()
    signed = sign_image(path, key)
    empty = [{"key": key.public.id, "signature": ""}]
    with pytest.raises(TrustError, match="expected 64 bytes"):
        judged(stamped(path, document(signed, signatures=empty)), store)


def test_a_key_that_is_revoked_counts_at_once(
    build: Build, key: SigningKey, trusting: Change, store: Path
) -> None:
    path = build()
    sign_image(path, key)
    with open_image(path) as image:
        trust = Trust(path=store)
        assert trust.judge(image).keys
        trusting(lambda store: store.with_key("acme", TrustedKey(public=key.public, revoked=1000.0)))
        with pytest.raises(TrustError, match="revoked"):
            trust.judge(image)
