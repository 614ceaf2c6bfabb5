"""What a module says of itself, in its custom section `statehold`: read without running it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, Final

import attrs
import msgspec

from statehold.loading.wasm._fields import config_model, read_fields
from statehold.sdk import Contract, Field, Operation, PluginError, Scope

ABI: Final = 1
SECTION: Final = "statehold"

_MAGIC: Final = b"\0asm\x01\0\0\0"
_MOST: Final = 65_536
_DEEPEST_NUMBER: Final = 5
_Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z]\w{0,254}\Z")]
#: Without control characters: it comes into logs, listings and errors.
_Line = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00-\x1f\x7f-\x9f\u2028\u2029]{0,1000}\Z")]
_Word = Annotated[str, msgspec.Meta(pattern=r"\A[\w.+-]{1,64}\Z")]


class _Storage(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    name: _Name
    operations: dict[Operation, list[Scope]] | list[Operation]
    key: list[str]
    value: list[str]
    config: list[str] = []
    secrets: list[_Line] = []
    sync_projector: bool = False
    description: _Line = ""


class _Module(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    abi: int
    name: _Word
    version: _Word
    storages: Annotated[list[_Storage], msgspec.Meta(min_length=1, max_length=1000)]


class _Abi(msgspec.Struct):
    abi: int


@attrs.frozen(kw_only=True)
class StorageDescription:
    """One storage of a module.

    Attributes:
        index: which of the module's storages it is, from 0.
        contract: its operations, key and value.
        config: the class that JSONCONFIG is read into; None for none.
        secrets: the secrets of the package that it is to be given, by name.
        description: one line for people.

    """

    name: str
    index: int
    contract: Contract
    key: tuple[Field, ...]
    value: tuple[Field, ...]
    config: type | None
    secrets: tuple[str, ...]
    description: str


@attrs.frozen(kw_only=True)
class Description:
    """What a module says of itself: its name, its version, and its storages by name."""

    name: str
    version: str
    storages: dict[str, StorageDescription]


def describe_wasm(data: bytes, *, who: str) -> Description:
    """Return what the module in *data* says of itself; nothing of it is run.

    *who*, such as `the module storages-1.wasm of acme.bills 2`, says in errors which module it is.

    Raises:
        PluginError: it is no module, or says nothing, or nothing that can be read; or it is made for
            another version of the ABI.

    """
    try:
        sections = [content for name, content in _custom_sections(data) if name == SECTION.encode()]
    except ValueError as error:
        raise PluginError(f"{who} is damaged: {error}", hint="Build it again") from error
    if len(sections) != 1 or len(sections[0]) > _MOST:
        said = f"{len(sections)} of them" if len(sections) != 1 else f"one of {len(sections[0])} bytes"
        raise PluginError(
            f"{who} does not say which storages it has: expected one custom section {SECTION!r} of up to "
            f"{_MOST} bytes, got {said}",
            hint="Put its description there, with SH_DESCRIPTION of statehold_storage.h in C",
        )
    try:
        found = msgspec.json.decode(sections[0], type=_Abi).abi
        if found != ABI:
            raise PluginError(
                f"{who} speaks version {found} of the ABI, and this host speaks {ABI}",
                hint="Build it for that",
            )
        told = msgspec.json.decode(sections[0], type=_Module)
        storages: dict[str, StorageDescription] = {}
        for index, one in enumerate(told.storages):
            storages[one.name] = _storage(index, one, storages)
    except (ValueError, RecursionError) as error:
        raise PluginError(
            f"{who} has a description that cannot be read: {error}",
            hint=f"It stands in the custom section {SECTION!r}",
        ) from error
    return Description(name=told.name, version=told.version, storages=storages)


def _storage(index: int, told: _Storage, others: Collection[str]) -> StorageDescription:
    if told.name in others:
        raise ValueError(f"it has two storages called {told.name}")
    try:
        key, value = read_fields(told.key, taken=("WSID",)), read_fields(told.value)
        config = config_model(told.name, told.config)
    except ValueError as error:
        raise ValueError(f"storage {told.name}: {error}") from error
    operations = (
        {operation: frozenset(scopes) for operation, scopes in told.operations.items()}
        if isinstance(told.operations, dict)
        else dict.fromkeys(told.operations, frozenset(Scope))
    )
    if not operations:
        raise ValueError(f"storage {told.name}: it has no operation")
    return StorageDescription(
        name=told.name,
        index=index,
        contract=Contract(operations=operations, sync_projector=told.sync_projector, key=key, value=value),
        key=key,
        value=value,
        config=config,
        secrets=tuple(told.secrets),
        description=told.description,
    )


def _custom_sections(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(_MAGIC):
        raise ValueError("it is no WebAssembly module")
    at = len(_MAGIC)
    while at < len(data):
        kind = data[at]
        size, start = _number(data, at + 1)
        at = start + size
        if at > len(data):
            raise ValueError("a section goes past its end")
        if kind == 0:
            length, begin = _number(data, start)
            if begin + length > at:
                raise ValueError("the name of a section goes past its end")
            yield data[begin : begin + length], data[begin + length : at]


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return the LEB128 number at *at*, and where it ends."""
    value = 0
    for step in range(_DEEPEST_NUMBER):
        if at + step >= len(data):
            break
        byte = data[at + step]
        value |= (byte & 0x7F) << 7 * step
        if byte < 0x80:
            return value, at + step + 1
    raise ValueError("a number in it has no end")
