from __future__ import annotations

from collections.abc import Mapping

import attrs

from statehold.hosting._plan import Plan
from statehold.sdk import DeployError, Provider
from statehold_vsql import Contract
from statehold_vsql.appdef import AppDef, QName
from statehold_vsql.evolution import compare


@attrs.frozen(kw_only=True)
class Declared:
    """What a version declares, and what the providers of its storages offer where it leaves that to them."""

    version: str
    appdef: AppDef = attrs.field(repr=False)
    offers: Mapping[QName, Contract] = attrs.field(repr=False)


def declared(plan: Plan) -> Declared:
    """Return what *plan* declares; nothing of its plugins is held."""
    opened = {storage.name: storage.provider for storage in plan.storages}
    offers = {}
    for access in plan.accesses.values():
        provider = opened.get(access.storage)
        offered = Contract(operations=access.declared) if provider is None else offer(provider)
        offers[access.definition.name] = offered
    return Declared(version=plan.version, appdef=plan.appdef, offers=offers)


def offer(provider: Provider) -> Contract:
    """Return what a declaration gets of *provider* where it says nothing itself."""
    return Contract(
        operations=provider.operations,
        key=provider.default_key if provider.key is None else provider.key,
        value=provider.default_value if provider.value is None else provider.value,
    )


def refuse_breaking(app: str, old: Declared, new: Declared) -> None:
    """Raise where what *new* declares breaks what there is by *old*.

    Raises:
        DeployError: it does; `problems` has every breaking change.

    """
    changes = compare(old.appdef, new.appdef, old_offers=old.offers, new_offers=new.offers)
    found = [
        f"{change.subject}: {change.message} (breaks {change.breaks})"
        for change in changes
        if change.breaking
    ]
    if found:
        listed = f" {found[0]}" if len(found) == 1 else "".join(f"\n  - {problem}" for problem in found)
        raise DeployError(
            f"the declarations of {app} {new.version} break what there is by {old.version}:{listed}",
            problems=found,
            hint="Where that is meant, accept it: --accept-breaking, or accept_breaking=True in Python",
        )
