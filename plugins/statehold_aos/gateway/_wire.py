"""What the JSON of both protocols has in common."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import UnsetType

from statehold_aos.gateway._errors import MessageError
from statehold_aos.gateway._messages import ClaimId

#: Bytes of the largest message, by default.
LARGEST: Final = 16 * 2**20
#: Bytes of a checksum.
CHECKSUM: Final = 28
_SHOWN: Final = 80

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Read = TypeVar("Read")


def checksum_from(text: str, field: str) -> bytes:
    """Return the checksum that hexadecimal digits stand for.

    Raises:
        MessageError: they are none, or not as many as SHA3-224 has.

    """
    try:
        checksum = bytes.fromhex(text)
    except ValueError:
        checksum = b""
    if len(checksum) != CHECKSUM:
        raise MessageError(
            f"a message has the {field} {shown(text)}, expected {2 * CHECKSUM} hexadecimal digits"
        )
    return checksum


def read_json(decoder: msgspec.json.Decoder[Read], body: bytes | memoryview, what: str) -> Read:
    """Return what *body* says; fields that nobody knows are passed over.

    Raises:
        MessageError: it is no JSON, or not of this form.

    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"{what} cannot be read: {error}; got {shown(body)}") from error


def check_size(size: int, largest: int, what: str) -> None:
    """Raise MessageError for what is larger than is allowed."""
    if size > largest:
        raise MessageError(
            f"{what} has {size:,} bytes, {largest:,} are allowed", hint="Raise CloudMaxBytes on both sides"
        )


def check_instance(instance: int | UnsetType) -> None:
    """Raise MessageError for any but the first instance of a service: a claim has one."""
    if instance:
        raise MessageError(f"a message means instance {instance} of a service, expected 0: there is one each")


def claim_of(workspace: int, service: str, users: str) -> ClaimId:
    """Return whose state is meant.

    Raises:
        MessageError: nobody's.

    """
    if not service or not users:
        missing = "service" if not service else "users"
        raise MessageError(f"a message means the claim of no {missing}: {service!r} for {users!r}")
    return ClaimId(workspace, service, users)


def shown(what: object) -> str:
    """Return the beginning of something for an error."""
    text = repr(bytes(what[: _SHOWN + 1])) if isinstance(what, bytes | memoryview) else repr(what)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
