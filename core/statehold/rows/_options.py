from __future__ import annotations

from typing import Literal, TypeAlias

#: `full`: an acknowledged batch survives a power cut; `relaxed`: it survives the end of the process.
Durability: TypeAlias = Literal["full", "relaxed"]
