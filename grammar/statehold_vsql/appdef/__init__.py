"""The compiled form of an application: frozen, without positions in a text except for error messages."""

from __future__ import annotations

from statehold_vsql.appdef._access import (
    AccessKind,
    AccessOperation,
    GrantDef,
    LimitDef,
    RateDef,
    RateScope,
    RateUnit,
    RightDef,
    RoleDef,
)
from statehold_vsql.appdef._app import AppDef
from statehold_vsql.appdef._extensions import ANY, ArgumentDef, ExtensionDef, TriggerAction, TriggerDef
from statehold_vsql.appdef._names import Position, QName
from statehold_vsql.appdef._storages import ParameterDef, StorageDef, StorageUse
from statehold_vsql.appdef._structures import (
    ContainerDef,
    FieldDef,
    TableDef,
    TableKind,
    TypeDef,
    UniqueDef,
    ViewDef,
)
from statehold_vsql.appdef._workspaces import TagDef, TemplateDef, VariableDef, WorkspaceDef

__all__ = [
    "ANY",
    "AccessKind",
    "AccessOperation",
    "AppDef",
    "ArgumentDef",
    "ContainerDef",
    "ExtensionDef",
    "FieldDef",
    "GrantDef",
    "LimitDef",
    "ParameterDef",
    "Position",
    "QName",
    "RateDef",
    "RateScope",
    "RateUnit",
    "RightDef",
    "RoleDef",
    "StorageDef",
    "StorageUse",
    "TableDef",
    "TableKind",
    "TagDef",
    "TemplateDef",
    "TriggerAction",
    "TriggerDef",
    "TypeDef",
    "UniqueDef",
    "VariableDef",
    "ViewDef",
    "WorkspaceDef",
]
