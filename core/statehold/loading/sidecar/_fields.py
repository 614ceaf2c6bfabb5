"""Fields and providers, as a sidecar describes them to its host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from statehold.sdk import DataType, Field


def fields_told(fields: Sequence[Field] | None) -> list[list[Any]] | None:
    """Return fields as lists: name, type, required, max_length, repeated, secret."""
    if fields is None:
        return None
    return [
        [one.name, str(one.type), one.required, one.max_length, one.repeated, one.secret] for one in fields
    ]


def fields_made(told: Sequence[Sequence[Any]] | None) -> tuple[Field, ...] | None:
    """Return the fields of such lists."""
    if told is None:
        return None
    return tuple(
        Field(name, DataType(kind), required=required, max_length=most, repeated=repeated, secret=secret)
        for name, kind, required, most, repeated, secret in told
    )


class ProviderTold(msgspec.Struct, kw_only=True):
    """What a sidecar tells of one provider; `Provider` says what it means."""

    name: str
    operations: dict[str, list[str]]
    key: list[list[Any]] | None = None
    value: list[list[Any]] | None = None
    default_key: list[list[Any]] | None = None
    default_value: list[list[Any]] | None = None
    config: dict[str, Any] | None = None
    sync_projector: bool = False
    requires: list[str] = []
    rank: int = 1
    inprocess_only: str = ""
    description: str = ""


class PluginTold(msgspec.Struct, kw_only=True):
    """What a sidecar tells of itself: its answer to DESCRIBE."""

    providers: list[ProviderTold]
    distribution: str = ""
    version: str = ""
    sha256: str = ""
    lacking: list[str] = []
    hooks: list[str] = []
