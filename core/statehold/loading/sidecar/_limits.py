from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Self

import attrs

from statehold.sdk import DescriptorError


@attrs.frozen(kw_only=True)
class Limits:
    """What the process of a sidecar may take; None for what is not limited.

    Attributes:
        deadline: seconds for one call; for a READ, from one chunk of rows to the next.
        start: seconds for starting, loading the plugin and opening one storage.
        memory_mib: memory, MiB.
        cpu_seconds: computing time of the process, in its whole life.
        open_files: file descriptors.
        processes: processes and threads.
        partitions_per_process: how many partitions share a process; None for all.

    """

    deadline: float = 4.0
    start: float = 60.0
    memory_mib: int | None = None
    cpu_seconds: int | None = None
    open_files: int | None = None
    processes: int | None = None
    partitions_per_process: int | None = None

    @classmethod
    def of(cls, given: Mapping[str, float], *, where: str = "limits") -> Self:
        """Return the limits that a descriptor names.

        Raises:
            DescriptorError: with every unknown name, and every number that is out of range.

        """
        kinds = {field.name: field for field in attrs.fields(cls)}
        problems = []
        values: dict[str, float] = {}
        for name, value in given.items():
            if name not in kinds:
                near = get_close_matches(name, kinds, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(kinds)}"
                problems.append(f"{where}: unknown key {name!r}. {hint}")
            elif isinstance(value, bool) or not value > 0:
                problems.append(f"{where}.{name}: expected a number above 0, got {value!r}")
            elif name in ("deadline", "start"):
                values[name] = float(value)
            elif value != int(value):
                problems.append(f"{where}.{name}: expected an integer, got {value!r}")
            else:
                values[name] = int(value)
        if problems:
            raise DescriptorError("; ".join(problems), problems=problems)
        return cls(**values)  # type: ignore[arg-type]  # checked above, by name
