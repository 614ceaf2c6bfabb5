"""Modules for tests: one that behaves, and what of it is to be otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
import wasmtime

DESCRIPTION = {
    "abi": 1,
    "name": "things",
    "version": "1",
    "storages": [
        {
            "name": "Thing",
            "operations": ["GET", "GETBATCH", "READ", "INSERT", "UPDATE"],
            "key": ["Id int64 NOT NULL"],
            "value": ["Count int32", "Text text"],
        }
    ],
}
#: Parameters and result of each export, and what it does in a module that behaves.
EXPORTS = {
    "statehold_abi": ("(result i32)", "i32.const 1"),
    "statehold_alloc": ("(param i32) (result i32)", "(call $take (local.get 0))"),
    "statehold_free": ("(param i32)", ""),
    "statehold_open": ("(param i32 i32 i32) (result i64)", "i64.const 0"),
    "statehold_get": ("(param i32 i32) (result i64)", "{value}"),
    "statehold_get_batch": ("(param i32 i32) (result i64)", "{values}"),
    "statehold_read": ("(param i32 i32) (result i64)", "(global.set $given (i32.const 0)) {cursor}"),
    "statehold_next": (
        "(param i32) (result i64)",
        """(if (result i64) (global.get $given)
             (then i64.const 0) (else (global.set $given (i32.const 1)) {rows}))""",
    ),
    "statehold_end": ("(param i32)", ""),
    "statehold_validate": ("(param i32 i32) (result i64)", "i64.const 0"),
    "statehold_apply": ("(param i32 i32) (result i64)", "i64.const 0"),
    "statehold_probe": ("(result i64)", "i64.const 0"),
    "statehold_adopt": ("(param i32 i32) (result i64)", "i64.const 0"),
    "statehold_close": ("", ""),
}
USUAL = {
    "value": [7, "seven"],
    "values": [[7, "seven"]],
    "cursor": 3,
    "rows": [[[1, 1], [7, "seven"]], [[1, 2], [8, None]]],
}


def answer(data: bytes) -> str:
    """Return the code that answers *data*, and puts it there before."""
    stores = "".join(
        f"(i32.store8 (i32.const {4096 + at}) (i32.const {byte}))" for at, byte in enumerate(data)
    )
    return f"{stores} (i64.const {4096 << 32 | len(data)})"


def packed(value: object) -> str:
    """Return the code that answers *value*."""
    return answer(msgspec.msgpack.encode(value))


def module(
    functions: Mapping[str, str | None] | None = None,
    *,
    description: object = DESCRIPTION,
    imports: str = "",
    more: str = "",
    memory: int = 2,
) -> bytes:
    """Return a module whose exports do as `EXPORTS` says, but for *functions*; None for none at all."""
    usual = {name: packed(value) for name, value in USUAL.items()}
    body = []
    for name, (kind, code) in EXPORTS.items():
        own = {name: code.format(**usual), **(functions or {})}[name]
        if own is not None:
            body.append(f'(func ${name} (export "{name}") {kind} {own})')
    text = f"""(module {imports}
      (memory (export "memory") {memory})
      (global $given (mut i32) (i32.const 0))
      (global $top (mut i32) (i32.const 65536))
      (func $take (param i32) (result i32)
        (local $at i32)
        (local.set $at (global.get $top))
        (global.set $top (i32.add (global.get $top) (local.get 0)))
        (local.get $at))
      {more} {" ".join(body)})"""
    return bytes(wasmtime.wat2wasm(text)) + (section(description) if description is not None else b"")


def section(content: object, name: bytes = b"statehold") -> bytes:
    """Return a custom section."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    inner = bytes([len(name)]) + name + data
    return b"\0" + _number(len(inner)) + inner


def _number(value: int) -> bytes:
    made = bytearray()
    while True:
        made.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(made)
