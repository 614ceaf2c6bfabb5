from __future__ import annotations

from msgspec import Struct

from statehold_vsql._diagnostic import Diagnostic
from statehold_vsql.syntax.nodes import File


class Parsed(Struct, frozen=True, kw_only=True):
    """What a text says, and what was wrong with it.

    After syntax errors the tree holds everything that could be read. `damaged_names` are all
    identifiers in the parts that were lost: a missing declaration, field or key of one of these names
    is no error of its own. `is_partial` says that there are such parts.
    """

    tree: File
    diagnostics: tuple[Diagnostic, ...] = ()
    damaged_names: frozenset[str] = frozenset()

    @property
    def is_partial(self) -> bool:
        """Whether some of the text is missing from the tree."""
        return self.tree.is_partial
