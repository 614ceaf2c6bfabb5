from __future__ import annotations

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

import attrs

from statehold.sdk import IWithCallContext, Provider
from statehold_vsql import Field, Operation
from statehold_vsql.appdef import StorageDef

_METHODS: Final[Mapping[Operation, tuple[str, ...]]] = {
    Operation.GET: ("get",),
    Operation.GETBATCH: ("get_batch",),
    Operation.READ: ("read",),
    Operation.INSERT: ("value_to_insert", "validate", "apply_batch"),
    Operation.UPDATE: ("value_to_update", "validate", "apply_batch"),
}


@attrs.frozen
class Problem:
    """A disagreement between a declaration, its provider and the storage that the provider opened."""

    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return the message and how to mend it."""
        return f"{self.message}. {self.hint}" if self.hint else self.message


def check_provider(storage: StorageDef, provider: Provider) -> tuple[Problem, ...]:
    """Return where *provider* does not offer what *storage* declares: operations and schema."""
    who = f"storage {storage.name} ({storage.position})"
    problems = [
        Problem(
            f"{who} declares {operation}, which provider {provider.name!r} does not have; "
            f"it has {', '.join(provider.operations) or 'no operation'}",
            f"Take {operation} out of the declaration, or use a provider that has it",
        )
        for operation in storage.operations or ()
        if operation not in provider.operations
    ]
    if not (storage.entity_record or storage.entity_view):
        key, value = (storage.key, provider.key), (storage.value, provider.value)
        problems += _check_fields(who, provider, "KEY", *key, default=provider.default_key)
        problems += _check_fields(who, provider, "VALUE", *value, default=provider.default_value)
    return tuple(problems)


def check_storage(storage: object, provider: Provider) -> tuple[Problem, ...]:
    """Return where an opened *storage* can do less, or more, than its *provider* says."""
    who = f"provider {provider.name!r}"
    kind = type(storage).__name__
    problems = []
    if not callable(getattr(storage, "free", None)):
        problems.append(
            Problem(f"what {who} opened has no free(): a {kind}", "Let `open` return an IStateStorage")
        )
    for operation, methods in _METHODS.items():
        missing = [name for name in methods if not callable(getattr(storage, name, None))]
        claimed = operation in provider.operations
        if claimed and missing and not isinstance(storage, IWithCallContext):
            problems.append(
                Problem(
                    f"{who} claims {operation}, but the {kind} it opened has no {', '.join(missing)}",
                    f"Write the method, or take Operation.{operation} out of the provider",
                )
            )
        elif not claimed and not missing:
            problems.append(
                Problem(
                    f"the {kind} that {who} opened has {operation}, which the provider does not claim",
                    f"Add Operation.{operation} to the provider, or remove {methods[0]}()",
                )
            )
    problems += [
        Problem(
            f"{name}() of the {kind} that {who} opened is a coroutine function, which nothing would await",
            "Write it as a plain `def`",
        )
        for name in dict.fromkeys(name for methods in _METHODS.values() for name in (*methods, "free"))
        if inspect.iscoroutinefunction(getattr(storage, name, None))
    ]
    return tuple(problems)


def _check_fields(
    who: str,
    provider: Provider,
    what: str,
    declared: tuple[Field, ...] | None,
    offered: tuple[Field, ...] | None,
    *,
    default: tuple[Field, ...] | None,
) -> list[Problem]:
    if declared is None:
        if offered is None and default is None:
            return [
                Problem(
                    f"{who} declares no {what}, and provider {provider.name!r} has none of its own",
                    f"Add {what} (...) to the declaration",
                )
            ]
        return []
    if offered is None:
        return []
    problems = []
    theirs = {field.name: field for field in offered}
    for field in declared:
        if field.name not in theirs:
            near = get_close_matches(field.name, theirs, n=1)
            problems.append(
                Problem(
                    f"{who} declares the {what} field {field.name!r}, which provider {provider.name!r} "
                    "does not have",
                    f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(theirs) or 'none'}",
                )
            )
        else:
            problems += _check_field(who, provider, what, field, theirs.pop(field.name))
    missing = [field for field in offered if field.name not in {ours.name for ours in declared}]
    problems += [
        Problem(
            f"{who} does not declare the {what} field {field.name!r} of provider {provider.name!r}",
            f"Add `{field}` to {what}, or leave {what} out to take all of the provider's",
        )
        for field in missing
    ]
    if what == "KEY" and not problems:
        ours, order = [field.name for field in declared], [field.name for field in offered]
        if ours != order:
            problems.append(
                Problem(
                    f"{who} declares its KEY in the order {', '.join(ours)}; "
                    f"provider {provider.name!r} expects {', '.join(order)}",
                    "Reading by a part of the key depends on the order: take the provider's",
                )
            )
    return problems


def _check_field(who: str, provider: Provider, what: str, declared: Field, offered: Field) -> list[Problem]:
    if (
        declared.type is offered.type
        and declared.repeated is offered.repeated
        and (declared.required or not offered.required)
        and (
            offered.max_length is None
            or (declared.max_length or offered.max_length + 1) <= offered.max_length
        )
    ):
        return []
    return [
        Problem(
            f"{who} declares the {what} field `{declared}`; provider {provider.name!r} has `{offered}`",
            "Declare it as the provider has it",
        )
    ]
