"""Fields and providers, as a sidecar describes them to its host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from statehold.sdk import DataType, Field

#: What stands in logs, listings and errors: without control characters, and not endless.
Word = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z", max_length=500)]
Text = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00-\x08\x0b-\x1f\x7f-\x9f]*\Z", max_length=10_000)]


def fields_told(fields: Sequence[Field] | None) -> list[list[Any]] | None:
    """Return fields as lists: name, type, required, max_length, repeated, secret."""
    if fields is None:
        return None
    return [
        [one.name, str(one.type), one.required, one.max_length, one.repeated, one.secret] for one in fields
    ]


def fields_made(told: Sequence[Sequence[Any]] | None) -> tuple[Field, ...] | None:
    """Return the fields of such lists.

    Raises:
        ValueError: they are none.

    """
    if told is None:
        return None
    for name, *_ in told:
        if not name.replace(".", "_").isidentifier():
            raise ValueError(f"{name!r:.80} is no name of a field")
    return tuple(
        Field(name, DataType(kind), required=required, max_length=most, repeated=repeated, secret=secret)
        for name, kind, required, most, repeated, secret in told
    )


class ProviderTold(msgspec.Struct, kw_only=True):
    """What a sidecar tells of one provider; `Provider` says what it means."""

    name: Annotated[Word, msgspec.Meta(min_length=1)]
    operations: dict[str, list[str]]
    key: list[list[Any]] | None = None
    value: list[list[Any]] | None = None
    default_key: list[list[Any]] | None = None
    default_value: list[list[Any]] | None = None
    config: dict[str, Any] | None = None
    sync_projector: bool = False
    requires: list[Word] = []
    rank: int = 1
    inprocess_only: Text = ""
    description: Text = ""


class PluginTold(msgspec.Struct, kw_only=True):
    """What a sidecar tells of itself: its answer to DESCRIBE."""

    providers: list[ProviderTold]
    distribution: Word = ""
    version: Word = ""
    sha256: Word = ""
    lacking: list[Text] = []
    hooks: list[Word] = []


# msgspec learns the type here: in two threads at once it would bring the process to an end.
msgspec.msgpack.Decoder(PluginTold)
