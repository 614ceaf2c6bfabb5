from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Self

import attrs

from statehold.trust._errors import TrustError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

#: Bytes of an Ed25519 public key, and of a signature by one.
KEY_BYTES = 32
SIGNATURE_BYTES = 64

_PEM_BYTES = 16_384
_ID_LENGTH = 32


@attrs.frozen
class PublicKey:
    """An Ed25519 key that signatures are verified with: its 32 bytes."""

    raw: bytes

    def __attrs_post_init__(self) -> None:
        if len(self.raw) != KEY_BYTES:
            raise TrustError(f"an Ed25519 key has {KEY_BYTES} bytes, got {len(self.raw)}")

    @property
    def id(self) -> str:
        """What the key is called everywhere: the first 32 hex digits of the SHA-256 of its bytes."""
        return hashlib.sha256(self.raw).hexdigest()[:_ID_LENGTH]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the key in the PEM file at *path*.

        Raises:
            TrustError: the file cannot be read, or is no public key of Ed25519.

        """
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - takes long to import
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

        data = _read(path)
        try:
            key = load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise TrustError(
                f"{path} is no public key in PEM",
                hint="`statehold keygen` writes it beside the private one, as <name>.pub",
            ) from error
        if not isinstance(key, Ed25519PublicKey):
            raise TrustError(
                f"{path} is a key of another kind than Ed25519", hint="Make one: statehold keygen"
            )
        return cls(key.public_bytes_raw())

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether *signature* over *message* was made with the private half of this key."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - as above

        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            self._key().verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def pem(self) -> bytes:
        """Return the key as a PEM file has it."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

        return self._key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def _key(self) -> Ed25519PublicKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        return Ed25519PublicKey.from_public_bytes(self.raw)


class SigningKey:
    """An Ed25519 key that signs images; it never shows its bytes but in the file it is saved to."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Return a new key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path, *, passphrase: bytes | None = None) -> Self:
        """Return the key in the PEM file at *path*, opened with *passphrase* where it is encrypted.

        Raises:
            TrustError: the file cannot be read, may be read by others than its owner, is no private key
                of Ed25519, or the passphrase is missing or wrong.

        """
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - takes long to import
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

        data = _read(path, private=True)
        locked = _is_locked(data)
        if locked and passphrase is None:
            raise TrustError(f"{path} is encrypted, and no passphrase was given")
        try:
            key = load_pem_private_key(data, passphrase if locked else None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if locked:
                raise TrustError(f"{path} cannot be opened: the passphrase is wrong") from error
            raise TrustError(f"{path} is no private key in PEM", hint="Make one: statehold keygen") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise TrustError(
                f"{path} is a key of another kind than Ed25519", hint="Make one: statehold keygen"
            )
        return cls(key)

    def save(self, path: Path, *, passphrase: bytes | None = None) -> Path:
        """Write the private key to *path*, for its owner alone, and the public one beside it; return that.

        Raises:
            TrustError: one of the files is there already, or the passphrase is empty.
            OSError: they cannot be written.

        """
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - as above
            BestAvailableEncryption,
            Encoding,
            KeySerializationEncryption,
            NoEncryption,
            PrivateFormat,
        )

        if passphrase is not None and not passphrase:
            raise TrustError("an empty passphrase protects nothing", hint="Give one, or none at all")
        public = path.with_name(f"{path.name}.pub")
        for there in (path, public):
            if os.path.lexists(there):
                raise TrustError(f"{there} is there already", hint="Name another file; keys are not replaced")
        lock: KeySerializationEncryption = (
            NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
        )
        _write(path, self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock), mode=0o600)
        try:
            _write(public, self.public.pem(), mode=0o644)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return public

    def sign(self, message: bytes) -> bytes:
        """Return the signature over *message*, the same each time."""
        return self._key.sign(message)


def is_encrypted(path: Path) -> bool:
    """Tell whether the private key at *path* needs a passphrase; raise TrustError as `SigningKey.load`."""
    return _is_locked(_read(path, private=True))


def _is_locked(pem: bytes) -> bool:
    return b"ENCRYPTED" in pem


def _read(path: Path, *, private: bool = False) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_PEM_BYTES + 1)
    except OSError as error:
        raise TrustError(f"the key {path} cannot be read: {error.strerror}") from error
    if private and stat.S_IMODE(mode) & 0o077:
        raise TrustError(
            f"the private key {path} may be read or written by others (mode {stat.S_IMODE(mode):03o})",
            hint=f"chmod 600 {path}, and make a new key if somebody may have read it",
        )
    if len(data) > _PEM_BYTES:
        raise TrustError(f"{path} is no key: it has more than {_PEM_BYTES} bytes")
    return data


def _write(path: Path, data: bytes, *, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
