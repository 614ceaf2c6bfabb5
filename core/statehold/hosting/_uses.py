from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NoReturn

import attrs

from statehold.hosting._access import Access, Refusal
from statehold.hosting._plan import PlannedStorage, PlannedUse
from statehold.sdk import Key, Operation, Rank, Scope
from statehold.state import Rows, compile_rows
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import ExtensionDef, QName

#: What a command or query returns; its rows are those of the type in RETURNS.
RESULT: Final = QName("sys", "Result")
#: What a QUERY, which has no INTENTS, may write without naming it.
_OF_QUERIES: Final = (QName("sys", "Response"), QName("sys", "Logger"))


@attrs.frozen
class NamedUse:
    """A storage that an extension uses, by what it says or without saying it.

    Attributes:
        storage: the storage.
        entity: the table, view or type that keys and values follow; None for none.
        in_state: whether STATE names it.
        in_intents: whether INTENTS names it, or the kind of the extension implies it.

    """

    storage: QName
    entity: QName | None
    in_state: bool
    in_intents: bool

    @property
    def slot(self) -> QName | None:
        """The entity by which the extension asks for it: of the one result there is, none."""
        return None if self.storage == RESULT else self.entity


def named_uses(extension: ExtensionDef) -> tuple[NamedUse, ...]:
    """Return what an extension uses, in the order of its declaration, what it implies last."""
    implied = list(_implied(extension))
    typed = {storage for storage, _ in implied}
    state = list(_pairs((use.storage, use.entities) for use in extension.state))
    intents = [
        *_pairs((use.storage, use.entities) for use in extension.intents if use.storage not in typed),
        *implied,
    ]
    return tuple(
        NamedUse(*pair, in_state=pair in state, in_intents=pair in intents)
        for pair in dict.fromkeys((*state, *intents))
    )


def _implied(extension: ExtensionDef) -> Iterator[tuple[QName, QName | None]]:
    answers = extension.kind in (ExtensionKind.COMMAND, ExtensionKind.QUERY)
    if answers and extension.returns is not None:
        yield RESULT, extension.returns
    if extension.kind is ExtensionKind.QUERY:
        for storage in _OF_QUERIES:
            yield storage, None


def _pairs(
    uses: Iterable[tuple[QName, tuple[QName, ...]]],
) -> Iterator[tuple[QName, QName | None]]:
    for storage, entities in uses:
        for entity in entities or (None,):
            yield storage, entity


def plan_uses(
    extension: ExtensionDef,
    named: Iterable[NamedUse],
    accesses: Mapping[str, Access],
    storages: Mapping[str, PlannedStorage | None],
) -> tuple[PlannedUse, ...]:
    """Return what an extension may do: what its clauses name, and the declaration and the operator permit.

    A storage that could not be planned is left out: the deploy has failed then.
    """
    scope = scope_of(extension)
    found = []
    for use in named:
        access, planned = accesses.get(str(use.storage)), storages.get(str(use.storage))
        if access is None or (planned is None and access.provided):
            continue
        entity = None if use.slot is None else str(use.slot)
        found.append(
            PlannedUse(
                access=access,
                entity=entity,
                rows=_rows(extension, scope, use, access, planned),
                allowed=frozenset(
                    operation
                    for operation in access.operations(scope)
                    if (use.in_intents if operation.is_intent else use.in_state)
                ),
                rank=Rank.STORAGE if planned is None else planned.provider.rank,
                # The results of a query may be many: each is sent before the next.
                streamed=use.storage == RESULT and extension.kind is ExtensionKind.QUERY,
            )
        )
    return tuple(found)


def _rows(
    extension: ExtensionDef, scope: Scope, use: NamedUse, access: Access, planned: PlannedStorage | None
) -> Rows:
    if planned is None:
        return rows_of_nothing(access, access.refusal(f"{extension.kind} {extension.name}", scope))
    return planned.rows if use.entity is None else planned.rows_of[str(use.entity)]


def scope_of(extension: ExtensionDef) -> Scope:
    """Return the scope of an extension that is no function."""
    scope = extension.kind.scope
    assert scope is not None  # noqa: S101 - functions are left out where extensions are listed
    return scope


def rows_of_nothing(access: Access, refuse: Refusal) -> Rows:
    """Return the rows of a storage that is not provided: nobody says what its keys are, so none is made."""

    def refused(*_: object, **__: object) -> NoReturn:
        raise refuse(Operation.GET)

    plain = compile_rows(access.storage, (), ())
    return _NoRows(
        storage=access.storage,
        key_fields=(),
        value_fields=(),
        Key=plain.Key,
        Prefix=plain.Prefix,
        Value=plain.Value,
        fixers={},
        required=frozenset(),
        key=refused,
        prefix=refused,
    )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class _NoRows(Rows):
    key: Callable[..., Key]
    prefix: Callable[..., Key]
