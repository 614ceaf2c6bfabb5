from __future__ import annotations

import pytest
import wasmtime

from statehold.loading.wasm.machine import compiled
from statehold.loading.wasm.machine._apart import compile_apart
from statehold.loading.wasm.machine._bodies import is_small


def module(instructions: str, variables: int = 1, functions: int = 1) -> bytes:
    function = f"(func (param i32) (local {'i32 ' * variables}) {instructions})"
    return bytes(wasmtime.wat2wasm(f"(module {function * functions})"))


#: What the compiler needs far more than a second for: loops in loops, with many variables.
SLOW = module("loop local.get 7 br_if 0 " * 10_000 + "end " * 10_000, 900)


@pytest.mark.parametrize(
    ("data", "small"),
    [
        (module("nop"), True),
        (module("nop " * 40_000), False),
        (module("nop " * 20_000, functions=20), False),
        (module("nop " * 5000, variables=1000), False),
        (module("nop", functions=200), True),
        (module("nop")[:-2], True),
        (b"\0asm\1\0\0\0" + b"\x0a\xff" * 1000, False),
    ],
    ids=["nothing", "a long one", "many", "a wide one", "many short ones", "damaged", "damaged and large"],
)
def test_what_may_take_the_compiler_long_is_no_small_module(data: bytes, small: bool) -> None:
    assert is_small(data) is small


def test_a_large_module_is_compiled_in_a_process_of_its_own_to_the_same(monkeypatch) -> None:
    data = module("nop " * 40_000)
    here = compiled(data).code
    monkeypatch.setattr("statehold.loading.wasm.machine._engine.is_small", lambda _: True)
    assert compiled(data).code == here


def test_a_module_that_takes_the_compiler_too_long_is_refused() -> None:
    assert not is_small(SLOW)
    with pytest.raises(ValueError, match=r"takes more than 1 s of computing for it: divide its largest"):
        compile_apart(SLOW, seconds=1)


def test_a_module_that_cannot_be_compiled_is_told_in_the_same_words() -> None:
    data = module("nop")[:-3]
    with pytest.raises(ValueError, match="WebAssembly") as here:
        compiled(data)
    with pytest.raises(ValueError, match="WebAssembly") as apart:
        compile_apart(data)
    assert str(apart.value) == str(here.value)
