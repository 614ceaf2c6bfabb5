"""What a storage author imports: protocols, rows, the provider, the context, hooks and errors."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from statehold.sdk._access import READ_AND_WRITE
from statehold.sdk._call import CallContext, Principal
from statehold.sdk._context import Clock, Entity, StorageContext, StorageLogger
from statehold.sdk._errors import (
    CompileError,
    DeployError,
    DescriptorError,
    FreedError,
    HostError,
    ImageError,
    PluginError,
    SchemaError,
    ScopeError,
    StateholdError,
    StorageError,
)
from statehold.sdk._extension import extension
from statehold.sdk._federation import FederationHost
from statehold.sdk._files import replace_file, sync_folder
from statehold.sdk._hooks import Hooks, hookimpl
from statehold.sdk._protocols import (
    IStateStorage,
    IWithApplyBatch,
    IWithCallContext,
    IWithGet,
    IWithGetBatch,
    IWithInsert,
    IWithProbe,
    IWithRead,
    IWithResume,
    IWithRows,
    IWithSharing,
    IWithUpdate,
)
from statehold.sdk._provider import Provider, Rank
from statehold.sdk._rows import Intent, Key, Value, fields, merge
from statehold.sdk._secret import Secret
from statehold.sdk._shared import Shared
from statehold.sdk._using import using
from statehold_vsql import Contract, DataType, Field, Operation, Scope

__all__ = [
    "READ_AND_WRITE",
    "UNSET",
    "CallContext",
    "Clock",
    "CompileError",
    "Contract",
    "DataType",
    "DeployError",
    "DescriptorError",
    "Entity",
    "FederationHost",
    "Field",
    "FreedError",
    "Hooks",
    "HostError",
    "IStateStorage",
    "IWithApplyBatch",
    "IWithCallContext",
    "IWithGet",
    "IWithGetBatch",
    "IWithInsert",
    "IWithProbe",
    "IWithRead",
    "IWithResume",
    "IWithRows",
    "IWithSharing",
    "IWithUpdate",
    "ImageError",
    "Intent",
    "Key",
    "Operation",
    "PluginError",
    "Principal",
    "Provider",
    "Rank",
    "SchemaError",
    "Scope",
    "ScopeError",
    "Secret",
    "Shared",
    "StateholdError",
    "StorageContext",
    "StorageError",
    "StorageLogger",
    "UnsetType",
    "Value",
    "extension",
    "fields",
    "hookimpl",
    "merge",
    "replace_file",
    "sync_folder",
    "using",
]
