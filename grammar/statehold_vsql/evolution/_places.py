"""In which kinds of workspaces a thing is found: those that inherit the workspace it is declared in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from statehold_vsql.appdef import AppDef, QName
from statehold_vsql.evolution._change import Broken, Changes, Subject

_ROOT = QName("sys", "Workspace")


class Places:
    """Compares where things are found in two versions."""

    def __init__(self, changes: Changes, old: AppDef, new: AppDef) -> None:
        self._changes = changes
        self._kinds = [
            name
            for name, workspace in old.workspaces.items()
            if not workspace.abstract and name in new.workspaces
        ]
        self._before = cache(lambda kind: frozenset(_lineage(old, kind)))
        self._after = cache(lambda kind: frozenset(_lineage(new, kind)))

    def compare(self, subject: Subject, old: QName | None, new: QName | None, breaks: Broken) -> None:
        """Note the workspaces in which *subject* is not found any more."""
        lost = [kind for kind in self._kinds if old in self._before(kind) and new not in self._after(kind)]
        if lost:
            message = f"is not found any more in workspaces of {', '.join(map(str, lost))}"
            self._changes.add("workspace-lost", subject, message, breaks)


def _lineage(appdef: AppDef, kind: QName) -> Iterator[QName]:
    yield _ROOT
    workspace = appdef.workspaces.get(kind)
    if workspace is not None:
        for base in workspace.inherits:
            yield from _lineage(appdef, base)
    yield kind
