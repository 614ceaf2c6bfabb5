from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from statehold.images import build_image, open_image
from statehold.trust import SigningKey, TrustError, sign_image


def test_signing_changes_no_digest_and_no_other_byte(build: Callable[..., Path], key: SigningKey) -> None:
    path = build()
    with open_image(path) as before:
        signed = sign_image(path, key)
        with open_image(path) as after:
            assert after.digest == before.digest == signed.digest
            assert after.files == before.files
            assert before.signatures is None
            assert after.signatures == signed.dump()


def test_the_same_key_signs_the_same_image_with_the_same_bytes(
    build: Callable[..., Path], key: SigningKey, tmp_path: Path
) -> None:
    path = build()
    sign_image(path, key, tmp_path / "signed.shi")
    sign_image(tmp_path / "signed.shi", key, tmp_path / "again.shi")
    assert (tmp_path / "signed.shi").read_bytes() == (tmp_path / "again.shi").read_bytes()
    with open_image(path) as image:
        assert image.signatures is None


def test_several_keys_sign_one_image(build: Callable[..., Path], key: SigningKey) -> None:
    path, other = build(), SigningKey.generate()
    sign_image(path, key)
    assert {one.key for one in sign_image(path, other)} == {key.public.id, other.public.id}


def test_a_folder_is_not_signed(tmp_path: Path, build: Callable[..., Path], key: SigningKey) -> None:
    folder = build().parent / "acme.bills"
    with pytest.raises(TrustError, match="a signature is over a built image"):
        sign_image(folder, key)
    assert build_image(folder)


def test_a_copy_of_an_image_keeps_its_signatures(
    build: Callable[..., Path], key: SigningKey, tmp_path: Path
) -> None:
    path = build()
    sign_image(path, key)
    with open_image(path) as image:
        image.save(tmp_path / "copy.shi")
    assert (tmp_path / "copy.shi").read_bytes() == path.read_bytes()


def test_signatures_over_other_contents_get_no_further_one(
    build: Callable[..., Path], key: SigningKey
) -> None:
    signed, other = build(), build(**{"descriptor.json": '{"NumParts": 2}'})
    foreign = sign_image(signed, key)
    with open_image(other) as image:
        image.save(other, signatures=foreign.dump())
    with pytest.raises(TrustError, match="over other contents"):
        sign_image(other, key)
