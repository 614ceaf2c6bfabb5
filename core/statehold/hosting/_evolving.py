from __future__ import annotations

from collections.abc import Mapping

import attrs

from statehold.hosting._plan import Plan
from statehold.hosting._steps import Step
from statehold.images import Described, Descriptor, compare_descriptors
from statehold.sdk import DeployError, Provider
from statehold_vsql import Contract
from statehold_vsql.appdef import AppDef, QName
from statehold_vsql.evolution import compare


@attrs.frozen(kw_only=True)
class Declared:
    """What a version declares, its descriptor, and what providers offer where it leaves that to them."""

    version: str
    appdef: AppDef = attrs.field(repr=False)
    descriptor: Descriptor = attrs.field(repr=False)
    offers: Mapping[QName, Contract] = attrs.field(repr=False)


def declared(plan: Plan) -> Declared:
    """Return what *plan* declares; nothing of its plugins is held."""
    opened = {storage.name: storage.provider for storage in plan.storages}
    offers = {}
    for access in plan.accesses.values():
        provider = opened.get(access.storage)
        offered = Contract(operations=access.declared) if provider is None else offer(provider)
        offers[access.definition.name] = offered
    return Declared(version=plan.version, appdef=plan.appdef, descriptor=plan.descriptor, offers=offers)


def offer(provider: Provider) -> Contract:
    """Return what a declaration gets of *provider* where it says nothing itself."""
    return Contract(
        operations=provider.operations,
        key=provider.default_key if provider.key is None else provider.key,
        value=provider.default_value if provider.value is None else provider.value,
    )


def compared(app: str, old: Declared, new: Declared, *, accept_breaking: bool) -> Step:
    """Return how many changes there are from what *old* declares to what *new* does.

    Raises:
        DeployError: some break what there is, and that is not accepted; `problems` has every breaking change.

    """
    changes = (
        *compare(old.appdef, new.appdef, old_offers=old.offers, new_offers=new.offers),
        *compare_descriptors(
            Described(descriptor=old.descriptor, appdef=old.appdef),
            Described(descriptor=new.descriptor, appdef=new.appdef),
        ),
    )
    found = [
        f"{change.subject}: {change.message} (breaks {change.breaks})"
        for change in changes
        if change.breaking
    ]
    if found and not accept_breaking:
        listed = f" {found[0]}" if len(found) == 1 else "".join(f"\n  - {problem}" for problem in found)
        raise DeployError(
            f"the declarations of {app} {new.version} break what there is by {old.version}:{listed}",
            problems=found,
            hint="Where that is meant, accept it: --accept-breaking, or accept_breaking=True in Python",
        )
    return Step(
        f"compare with {old.version}: {len(found)} breaking changes{', accepted' if found else ''}, "
        f"{len(changes) - len(found)} compatible",
        breaking=len(found),
        compatible=len(changes) - len(found),
    )
