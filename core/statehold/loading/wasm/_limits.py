from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

import attrs

#: What an operator may set, with the least and the most; more than 4 GiB a guest cannot address.
_BOUNDS: Final = {"memory_mib": (1, 4096), "deadline": (0.01, 86_400)}


@attrs.frozen(kw_only=True)
class WasmLimits:
    """What one storage of a module may take.

    Attributes:
        memory_mib: its memory in each partition, in MiB.
        deadline: how long a call may compute, and how long one waits for others, in seconds.
        answer_bytes: how large one answer may be, a chunk of a READ included.
        log_lines: how many lines one call may log.
        log_bytes: how long one of them may be; the rest is cut off.

    """

    memory_mib: int = 64
    deadline: float = 4.0
    answer_bytes: int = 16 * 1024 * 1024
    log_lines: int = 100
    log_bytes: int = 4096


def read_limits(given: Mapping[str, float]) -> tuple[WasmLimits, list[str]]:
    """Return the limits that an operator has set, by name, and what is wrong with them."""
    problems = []
    for name, value in given.items():
        if name not in _BOUNDS:
            near = get_close_matches(name, _BOUNDS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(_BOUNDS)}"
            problems.append(f"limits.{name}: a WebAssembly module has no such limit. {hint}")
            continue
        low, high = _BOUNDS[name]
        if not low <= value <= high or (isinstance(low, int) and value != int(value)):
            what = "a whole number" if isinstance(low, int) else "a number"
            problems.append(f"limits.{name}: expected {what} from {low} to {high}, got {value:g}")
    if problems:
        return WasmLimits(), problems
    usual = WasmLimits()
    return attrs.evolve(
        usual,
        memory_mib=int(given.get("memory_mib", usual.memory_mib)),
        deadline=float(given.get("deadline", usual.deadline)),
    ), []
