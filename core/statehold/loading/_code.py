from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from statehold.loading._archive import pack
from statehold.loading._free import FreeReport, free_space
from statehold.loading._space import Space


class LoadedCode:
    """Code given as files, in a namespace of its own; `free()` removes it from the process.

    Args:
        files: path -> contents.
        packages: the name of each top-level package -> the folder that it is.
        what: what it is, for messages: `the code of acme.bills 1.2`.
        place: what stands before the paths in tracebacks.

    Raises:
        PluginError: there is something among *files* that cannot be loaded privately.

    """

    def __init__(
        self, files: Mapping[str, bytes], packages: Mapping[str, str], *, what: str, place: Path
    ) -> None:
        self._what = what
        self._space = Space(pack(place, files, what=what, packages=packages))
        self._report: FreeReport | None = None

    @property
    def modules(self) -> Mapping[str, str]:
        """The names of all modules that are files, as their author knows them, each with its file."""
        members = self._space.archive.modules.items()
        return {name: member.file for name, member in sorted(members) if member.file is not None}

    def import_module(self, name: str) -> ModuleType:
        """Return a module by the name that its author knows; its top-level code runs at the first time."""
        return self._space.import_module(name)

    def public(self, text: str) -> str:
        """Return *text* with the names that the author knows, where it has private names of modules."""
        return self._space.public(text)

    def file(self, filename: str) -> str | None:
        """Return which of the files a traceback means by *filename*, None for code of others."""
        prefix = f"{self._space.archive.path}/"
        return filename.removeprefix(prefix) if filename.startswith(prefix) else None

    def free(self) -> FreeReport:
        """Remove every trace of the code; a second call returns the same report."""
        if self._report is None:
            self._report = free_space(self._space, who=self._what, made=())
        return self._report

    def __del__(self) -> None:
        if getattr(self, "_report", self) is None:
            warnings.warn(
                f"{self._what} was never freed: its modules stay loaded", ResourceWarning, stacklevel=2
            )
