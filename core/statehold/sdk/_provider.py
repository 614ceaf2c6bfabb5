from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import IntEnum
from typing import Any, TypeVar

import attrs
import msgspec

from statehold.sdk._context import StorageContext
from statehold.sdk._protocols import IStateStorage
from statehold_vsql import Contract, Field, Operation, Scope

T = TypeVar("T")


class Rank(IntEnum):
    """When the intents of a storage are applied; within one rank, in the order of declaration."""

    #: Stands on the row store, in one atomic commit with the event; or is a part of the answer, which an
    #: extension gives before that commit.
    ROWS = 0
    STORAGE = 1
    #: Reaches the world outside, such as mail: after all else, and never merged.
    EFFECT = 2


def _operations(
    given: Mapping[Operation, Iterable[Scope]] | Iterable[Operation],
) -> Mapping[Operation, frozenset[Scope]]:
    if isinstance(given, Mapping):
        return {Operation(op): frozenset(map(Scope, _many("scopes", each))) for op, each in given.items()}
    return {Operation(op): frozenset(Scope) for op in _many("operations", given)}


def _fields(given: Iterable[Field] | None) -> tuple[Field, ...] | None:
    if given is None:
        return None
    fields = tuple(given)
    for field in fields:
        if not isinstance(field, Field):
            raise TypeError(f"a field: expected Field('Name', 'text'), got {field!r}")
    return fields


def _names(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(_many("requires", given))


def _learned(config: type | None) -> type | None:
    # Two threads that are the first to convert to a class would end the process: msgspec learns it here.
    if config is not None:
        with suppress(Exception):  # told when JSONCONFIG is read
            msgspec.json.Decoder(config)
    return config


def _many(what: str, given: Iterable[T]) -> Iterable[T]:
    # A text is a sequence, too, of its characters.
    if isinstance(given, str):
        raise TypeError(f"{what}: expected a list or a tuple, got the text {given!r}")
    return given


@attrs.frozen(kw_only=True)
class Provider:
    """The plugin side of a storage: what it offers, and how to open it.

    Attributes:
        name: what declarations call it, `Scada`.
        open: makes the storage of one partition.
        operations: which operations it has; as a mapping, with the scopes that a declaration by bare
            name gives them (all scopes otherwise).
        key: the fields of KEY; None where any declared KEY fits, or where it follows the entity in a storage
            of entities.
        value: the fields of VALUE; None likewise.
        default_key: for a `key` of None, the fields where the declaration gives no KEY.
        default_value: likewise for VALUE.
        config: the class that JSONCONFIG is read into (msgspec.Struct, attrs or dataclass).
        sync_projector: whether a SYNC PROJECTOR may use it.
        entity_key: for a storage of entities whose keys are neither `key` nor those of the entity: makes the
            fields of KEY of the entity's shape (`statehold.events.Shape`).
        requires: storages of the same package that must be open first.
        rank: when its intents are applied.
        in_memory: whether reading takes so little that to measure it would take as long: then it is measured
            only where the operator asks for it.
        inprocess_only: why its storages can run in the host's process alone, such as `it reads ctx.data`;
            empty where they can run in a sidecar, too. Said or not, what stands in the host's own commit
            (`Rank.ROWS`) or has an `entity_key` cannot.
        description: one line for people.

    """

    name: str
    open: Callable[[StorageContext], IStateStorage] = attrs.field(validator=attrs.validators.is_callable())
    operations: Mapping[Operation, frozenset[Scope]] = attrs.field(converter=_operations)
    key: tuple[Field, ...] | None = attrs.field(default=None, converter=_fields)
    value: tuple[Field, ...] | None = attrs.field(default=None, converter=_fields)
    default_key: tuple[Field, ...] | None = attrs.field(default=None, converter=_fields)
    default_value: tuple[Field, ...] | None = attrs.field(default=None, converter=_fields)
    config: type | None = attrs.field(default=None, converter=_learned)
    sync_projector: bool = False
    entity_key: Callable[[Any], Iterable[Field]] | None = None
    requires: tuple[str, ...] = attrs.field(default=(), converter=_names)
    rank: Rank = Rank.STORAGE
    in_memory: bool = False
    inprocess_only: str = ""
    description: str = ""

    @property
    def contract(self) -> Contract:
        """The part of the provider that declarations are checked against."""
        return Contract(
            operations=self.operations,
            sync_projector=self.sync_projector,
            key=self.key,
            value=self.value,
        )
