from __future__ import annotations

import attrs


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
