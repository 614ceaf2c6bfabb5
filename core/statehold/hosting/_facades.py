from __future__ import annotations

from statehold.hosting._compiling import Compiler
from statehold.hosting._uses import scope_of
from statehold.state import Facade
from statehold_vsql.appdef import ExtensionDef


class Facades(dict[str, Facade]):
    """The facades of one extension, by storage.

    One of a storage that the extension does not name is there all the same when it is asked for: each of
    its operations says what to declare.
    """

    def __init__(self, compiler: Compiler, extension: ExtensionDef) -> None:
        self._compiler = compiler
        self._extension = extension
        super().__init__(compiler.for_extension(extension, scope_of(extension)))

    def __missing__(self, storage: str) -> Facade:
        made = self._compiler.unnamed(storage, self._extension, scope_of(self._extension))
        return self.setdefault(storage, made)
