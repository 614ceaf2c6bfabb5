from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from statehold_vsql.appdef._access import GrantDef, LimitDef, RateDef, RoleDef
from statehold_vsql.appdef._extensions import ExtensionDef
from statehold_vsql.appdef._names import QName
from statehold_vsql.appdef._storages import ParameterDef, StorageDef
from statehold_vsql.appdef._structures import TableDef, TypeDef, ViewDef
from statehold_vsql.appdef._workspaces import TagDef, TemplateDef, VariableDef, WorkspaceDef


def _frozen(mapping: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(dict(mapping))


@attrs.frozen(kw_only=True)
class AppDef:
    """An application as its declarations say it: immutable, every name resolved.

    `packages` maps each package's local name to its path. `name` is the name in APPLICATION.
    Everything else is in the order in which it is declared.
    """

    name: str
    packages: Mapping[str, str] = attrs.field(converter=_frozen)
    storages: Mapping[QName, StorageDef] = attrs.field(converter=_frozen)
    extensions: Mapping[QName, ExtensionDef] = attrs.field(converter=_frozen)
    parameters: Mapping[QName, ParameterDef] = attrs.field(converter=_frozen)
    workspaces: Mapping[QName, WorkspaceDef] = attrs.field(factory=dict, converter=_frozen)
    tables: Mapping[QName, TableDef] = attrs.field(factory=dict, converter=_frozen)
    types: Mapping[QName, TypeDef] = attrs.field(factory=dict, converter=_frozen)
    views: Mapping[QName, ViewDef] = attrs.field(factory=dict, converter=_frozen)
    roles: Mapping[QName, RoleDef] = attrs.field(factory=dict, converter=_frozen)
    grants: tuple[GrantDef, ...] = ()
    rates: Mapping[QName, RateDef] = attrs.field(factory=dict, converter=_frozen)
    limits: Mapping[QName, LimitDef] = attrs.field(factory=dict, converter=_frozen)
    tags: Mapping[QName, TagDef] = attrs.field(factory=dict, converter=_frozen)
    variables: Mapping[QName, VariableDef] = attrs.field(factory=dict, converter=_frozen)
    templates: Mapping[QName, TemplateDef] = attrs.field(factory=dict, converter=_frozen)
