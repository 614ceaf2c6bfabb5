"""The functions that a module and its host have of each other, with the letters of parameters and result."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from statehold.sdk import Operation

MEMORY: Final = "memory"
#: The module that its imports come from, and what all its exports for the host begin with.
HOST: Final = "statehold"
PREFIX: Final = "statehold_"

ABI_EXPORT: Final = "statehold_abi"
ALLOC: Final = "statehold_alloc"
FREE: Final = "statehold_free"
OPEN: Final = "statehold_open"
GET: Final = "statehold_get"
GET_BATCH: Final = "statehold_get_batch"
READ: Final = "statehold_read"
NEXT: Final = "statehold_next"
END: Final = "statehold_end"
VALIDATE: Final = "statehold_validate"
APPLY: Final = "statehold_apply"
PROBE: Final = "statehold_probe"
ADOPT: Final = "statehold_adopt"
CLOSE: Final = "statehold_close"

#: Takes bytes by address and length, gives an answer by address << 32 | length.
_ASK: Final = ("pp", "h")

REQUIRED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {ABI_EXPORT: ("", "p"), ALLOC: ("p", "p"), FREE: ("p", ""), OPEN: ("ppp", "h")}
)
OF_OPERATION: Final[Mapping[Operation, Mapping[str, tuple[str, str]]]] = MappingProxyType(
    {
        Operation.GET: {GET: _ASK},
        Operation.GETBATCH: {GET_BATCH: _ASK},
        Operation.READ: {READ: _ASK, NEXT: ("p", "h"), END: ("p", "")},
        Operation.INSERT: {APPLY: _ASK},
        Operation.UPDATE: {APPLY: _ASK},
    }
)
OPTIONAL: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {VALIDATE: _ASK, PROBE: ("", "h"), ADOPT: _ASK, CLOSE: ("", "")}
)
IMPORTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"log": ("ipp", ""), "clock": ("i", "l"), "random": ("pp", "")}
)
