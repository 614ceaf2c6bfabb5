from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

import msgspec

from statehold.sdk import replace_file
from statehold_zdb.engine._errors import ZdbError
from statehold_zdb.engine._options import Mode

FILE: Final = "zdb-namespace"
_COST: Final = 2**13


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a namespace is told to be; kept in its file `zdb-namespace`, in the folder of the index.

    Attributes:
        name: its name.
        mode: what its keys are.
        seed: with which the CRCs of its records begin.
        maxsize: the most payload bytes of all keys; 0 for no limit.
        password: salt and scrypt hash of the password, in hex; empty for none.
        sealed: the password, encrypted with a key that only the engine's folder has; for secure log-ins.
        public: whether it is read without the password.
        worm: whether what stands there stays.
        lock: whether it is only read.
        freeze: whether it is neither read nor written.
        durability: when a write counts as done; empty for what the engine says.

    """

    name: str
    mode: Mode
    seed: int
    maxsize: int = 0
    password: str = ""
    sealed: str = ""
    public: bool = True
    worm: bool = False
    lock: bool = False
    freeze: bool = False
    durability: str = ""

    def matches(self, password: bytes) -> bool:
        """Whether *password* is the one that was set; takes some 20 ms, on purpose."""
        salt, _, expected = self.password.partition(":")
        return hmac.compare_digest(_hash(password, bytes.fromhex(salt)), expected) if expected else False


def hashed(password: bytes) -> str:
    """Return what `Settings.password` keeps of *password*."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}:{_hash(password, salt)}"


def read_settings(folder: Path) -> Settings | None:
    """Return what is kept in *folder*, or None if nothing is; ZdbError for what cannot be read."""
    try:
        return _read((folder / FILE).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ZdbError(
            f"cannot read {folder / FILE}: {error}", hint="Bring the file back; it is not made of the data"
        ) from error


def write_settings(folder: Path, settings: Settings) -> None:
    """Keep *settings* in *folder*; when it returns they are on disk, and never half of them.

    Raises:
        ZdbError: the disk refused that; those that were there still are.

    """
    try:
        replace_file(folder / FILE, msgspec.json.format(msgspec.json.encode(settings)) + b"\n")
    except OSError as error:
        raise ZdbError(
            f"cannot write {folder / FILE}: {error}", hint="Make room on the disk, or mend it, and try again"
        ) from error


def _hash(password: bytes, salt: bytes) -> str:
    return hashlib.scrypt(password, salt=salt, n=_COST, r=8, p=1, dklen=32).hex()


#: Made here: two threads that are the first to read a type bring msgspec, and the process, to an end.
_read: Final = msgspec.json.Decoder(Settings).decode
