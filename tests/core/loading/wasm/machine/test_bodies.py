from __future__ import annotations

import pytest
import wasmtime

from statehold.loading.wasm.machine import compiled


def function(instructions: str, variables: int) -> bytes:
    return bytes(
        wasmtime.wat2wasm(
            f"(module (func (nop)) (func (param i32) (local {'i32 ' * variables}) {instructions}))"
        )
    )


@pytest.mark.parametrize(
    ("instructions", "variables"),
    [("(nop)" * 1_050_000, 0), ("(nop)" * 50_000, 20_500)],
    ids=["long", "wide"],
)
def test_a_function_that_would_take_the_compiler_too_long_is_refused(
    instructions: str, variables: int
) -> None:
    data = function(instructions, variables)
    with pytest.raises(ValueError, match=rf"its function 1, .* {variables} variables"):
        compiled(data)


def test_a_large_function_is_compiled() -> None:
    assert compiled(function("(nop)" * 100_000, 100)).code


@pytest.mark.parametrize("cut", range(8, 60, 3))
def test_what_is_damaged_is_told_by_the_compiler(cut: int) -> None:
    data = function("(drop (i32.add (local.get 0) (local.get 1)))", 3)
    with pytest.raises(ValueError, match=r"WebAssembly|compile|unexpected|failed|module"):
        compiled(data[: min(cut, len(data) - 1)] + b"\x0a\xff")
