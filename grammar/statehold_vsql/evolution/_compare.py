from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from statehold_vsql._contract import Contract
from statehold_vsql.appdef import AppDef, QName
from statehold_vsql.evolution._access import compare_access
from statehold_vsql.evolution._calls import compare_calls
from statehold_vsql.evolution._change import Change, Changes
from statehold_vsql.evolution._limits import compare_limits
from statehold_vsql.evolution._places import Places
from statehold_vsql.evolution._settings import compare_settings
from statehold_vsql.evolution._storages import compare_storages
from statehold_vsql.evolution._structures import compare_tables, compare_views
from statehold_vsql.evolution._tags import compare_tags
from statehold_vsql.evolution._workspaces import compare_workspaces

_NONE: Mapping[QName, Contract] = MappingProxyType({})


def compare(
    old: AppDef,
    new: AppDef,
    *,
    old_offers: Mapping[QName, Contract] = _NONE,
    new_offers: Mapping[QName, Contract] = _NONE,
) -> tuple[Change, ...]:
    """Return what changed between two versions of an app, in the order of what is looked at.

    Extensions and plugins travel with the declarations, and may change with them. Broken are: what is stored,
    the clients of the app, its operator, and packages that use a storage of another one. The offers say what
    the provider of a storage does where its declaration leaves that to it.
    """
    changes = Changes()
    places = Places(changes, old, new)
    compare_storages(changes, old, new, old_offers=old_offers, new_offers=new_offers)
    compare_workspaces(changes, old, new)
    compare_tables(changes, places, old, new)
    compare_views(changes, places, old, new)
    compare_calls(changes, places, old, new)
    compare_settings(changes, old, new)
    compare_access(changes, old, new)
    compare_limits(changes, old, new)
    compare_tags(changes, old, new)
    return tuple(changes.found)
