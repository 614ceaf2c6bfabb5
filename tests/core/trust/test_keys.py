from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from statehold.trust import PublicKey, SigningKey, TrustError


def test_a_key_that_was_saved_is_the_same_when_it_is_loaded(tmp_path: Path, key: SigningKey) -> None:
    public = key.save(tmp_path / "acme.key")
    assert public == tmp_path / "acme.key.pub"
    assert SigningKey.load(tmp_path / "acme.key").public == key.public == PublicKey.load(public)
    assert stat.S_IMODE((tmp_path / "acme.key").stat().st_mode) == 0o600


def test_what_a_key_signs_it_verifies_and_nothing_else(key: SigningKey) -> None:
    signature = key.sign(b"this")
    assert key.public.verifies(signature, b"this")
    assert not key.public.verifies(signature, b"that")
    assert not key.public.verifies(b"", b"this")
    assert not key.public.verifies(bytes(64), b"this")
    assert not SigningKey.generate().public.verifies(signature, b"this")


def test_a_key_with_a_passphrase_opens_with_that_one_only(tmp_path: Path, key: SigningKey) -> None:
    path = tmp_path / "acme.key"
    key.save(path, passphrase=b"correct horse")
    assert SigningKey.load(path, passphrase=b"correct horse").public == key.public
    with pytest.raises(TrustError, match="no passphrase was given"):
        SigningKey.load(path)
    with pytest.raises(TrustError, match="the passphrase is wrong"):
        SigningKey.load(path, passphrase=b"battery staple")


def test_an_empty_passphrase_is_none_and_is_refused(tmp_path: Path, key: SigningKey) -> None:
    with pytest.raises(TrustError, match="protects nothing"):
        key.save(tmp_path / "acme.key", passphrase=b"")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("taken", ["acme.key", "acme.key.pub"])
def test_a_key_replaces_no_file(tmp_path: Path, key: SigningKey, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    with pytest.raises(TrustError, match="there already"):
        key.save(tmp_path / "acme.key")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path, key: SigningKey) -> None:
    path = tmp_path / "acme.key"
    key.save(path)
    path.chmod(0o640)
    with pytest.raises(TrustError, match="by others"):
        SigningKey.load(path)


def test_what_is_no_key_of_ed25519_is_refused(tmp_path: Path) -> None:
    other = X25519PrivateKey.generate()
    private = tmp_path / "other.key"
    private.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    public = tmp_path / "other.pub"
    public.write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(TrustError, match="another kind"):
        SigningKey.load(private)
    with pytest.raises(TrustError, match="another kind"):
        PublicKey.load(public)
    for path in (private, public):
        path.write_bytes(b"nothing of the sort")
    with pytest.raises(TrustError, match="no private key"):
        SigningKey.load(private)
    with pytest.raises(TrustError, match="no public key"):
        PublicKey.load(public)
    with pytest.raises(TrustError, match="cannot be read"):
        PublicKey.load(tmp_path / "nowhere.pub")
