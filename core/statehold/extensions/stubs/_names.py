from __future__ import annotations

import keyword
from collections.abc import Hashable


class Names:
    """Gives each thing a name in the module, the one that is wished for unless another thing has it."""

    def __init__(self, taken: frozenset[str]) -> None:
        self._names: dict[Hashable, str] = {}
        self._taken = set(taken)

    def of(self, thing: Hashable, wished: str) -> str:
        """Return the name of *thing*: always the same one."""
        name = self._names.get(thing)
        if name is None:
            name = wished.replace(".", "_")
            while name in self._taken or keyword.iskeyword(name):
                name += "_"
            self._names[thing] = name
            self._taken.add(name)
        return name
