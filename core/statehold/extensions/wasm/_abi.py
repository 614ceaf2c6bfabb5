"""The ABI between host and guest: names and types, letters as in `_native`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

VERSION: Final = "WasmAbiVersion_0_0_1"
VERSION_PREFIX: Final = "WasmAbiVersion_"
ON_READ: Final = "WasmOnReadValue"
MEMORY: Final = "memory"

#: What a value can be read as, with the letter of the result; texts, bytes and the parts of a qualified name
#: are `address << 32 | length` in the guest's memory.
READS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "String": "h",
        "Bytes": "h",
        "QNamePkg": "h",
        "QNameEntity": "h",
        "Bool": "h",
        "Int32": "i",
        "Int64": "l",
        "Float32": "f",
        "Float64": "d",
        "Value": "h",
    }
)
#: What can be put, with the letters of its parameters.
WRITES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "String": "pp",
        "Bytes": "pp",
        "QName": "pppp",
        "Bool": "i",
        "Int32": "i",
        "Int64": "l",
        "Float32": "f",
        "Float64": "d",
    }
)
#: The functions of module `env`: letters of the parameters, letter of the result.
IMPORTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "hostGetKey": ("pppp", "h"),
        "hostGetValue": ("h", "h"),
        "hostQueryValue": ("h", "h"),
        "hostReadValues": ("h", ""),
        "hostNewValue": ("h", "h"),
        "hostUpdateValue": ("hh", "h"),
        "hostValueLength": ("h", "p"),
        **{f"hostKeyAs{kind}": ("hpp", result) for kind, result in READS.items() if kind != "Value"},
        **{f"hostValueAs{kind}": ("hpp", result) for kind, result in READS.items()},
        **{f"hostValueGetAs{kind}": ("hp", result) for kind, result in READS.items()},
        **{f"hostRowWriterPut{kind}": (f"hppp{value}", "") for kind, value in WRITES.items()},
    }
)
#: The functions that every guest exports.
EXPORTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "malloc": ("p", "p"),
        "free": ("p", ""),
        VERSION: ("", ""),
        ON_READ: ("hh", ""),
        "WasmGetHeapInuse": ("", "h"),
        "WasmGetHeapSys": ("", "h"),
        "WasmGetMallocs": ("", "h"),
        "WasmGetFrees": ("", "h"),
        "WasmGC": ("", ""),
    }
)
#: What the guest's own start is called: of a library, or of a program.
STARTS: Final = ("_initialize", "_start")


def is_reserved(name: str) -> bool:
    """Return whether an export of that name is no extension."""
    return name.startswith("Wasm") or name in {
        "alloc",
        "calloc",
        "free",
        "malloc",
        "memory",
        "realloc",
        *STARTS,
    }
