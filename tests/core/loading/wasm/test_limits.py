from __future__ import annotations

import pytest

from statehold.loading.wasm import WasmLimits, read_limits


def test_what_is_not_given_is_as_usual():
    assert read_limits({}) == (WasmLimits(), [])
    assert read_limits({"memory_mib": 2.0}) == (WasmLimits(memory_mib=2), [])
    assert read_limits({"deadline": 1}) == (WasmLimits(deadline=1.0), [])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"memory": 1}, "limits.memory: a WebAssembly module has no such limit. Did you mean 'memory_mib'?"),
        ({"x": 1}, "limits.x: a WebAssembly module has no such limit. There are memory_mib, deadline"),
        ({"memory_mib": 0}, "limits.memory_mib: expected a whole number from 1 to 4096, got 0"),
        ({"memory_mib": 1.5}, "limits.memory_mib: expected a whole number from 1 to 4096, got 1.5"),
        ({"memory_mib": 4097}, "limits.memory_mib: expected a whole number from 1 to 4096, got 4097"),
        ({"deadline": 0}, "limits.deadline: expected a number from 0.01 to 86400, got 0"),
        ({"deadline": float("nan")}, "limits.deadline: expected a number from 0.01 to 86400, got nan"),
        ({"memory_mib": float("inf")}, "limits.memory_mib: expected a whole number from 1 to 4096, got inf"),
    ],
)
def test_a_limit_that_there_is_not_is_told(given, problem):
    assert read_limits(given) == (WasmLimits(), [problem])


def test_all_that_is_wrong_is_told_at_once():
    assert len(read_limits({"memory_mib": 0, "deadline": 0, "x": 1})[1]) == 3
