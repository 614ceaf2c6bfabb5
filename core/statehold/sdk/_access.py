from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from statehold_vsql import Operation, Scope

_WRITERS: Final = frozenset({Scope.COMMANDS, Scope.PROJECTORS, Scope.JOBS})

#: `Provider.operations` of rows that anybody looks up, all but commands read through, and all but queries
#: write.
READ_AND_WRITE: Final[Mapping[Operation, frozenset[Scope]]] = MappingProxyType(
    {
        Operation.GET: frozenset(Scope),
        Operation.GETBATCH: frozenset(Scope),
        Operation.READ: frozenset({Scope.QUERIES, Scope.PROJECTORS, Scope.JOBS}),
        Operation.INSERT: _WRITERS,
        Operation.UPDATE: _WRITERS,
    }
)
