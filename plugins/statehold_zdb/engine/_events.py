"""What an engine tells, and asks, while it runs: the hooks of 0-db, for plugins of pluggy.

A plugin is any object with some of these methods, marked by `hookimpl`. Hooks of one engine are called one
after another, on a thread of their own, so that nobody who reads or writes waits for them; those that say
"waits" are waited for by what they are about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pluggy

hookspec: Final = pluggy.HookspecMarker("statehold_zdb")
hookimpl: Final = pluggy.HookimplMarker("statehold_zdb")


class ZdbHooks:
    """The events of an engine."""

    @hookspec
    def zdb_namespaces_init(self, index: str, data: str) -> None:
        """Hear that the folders are there, and not read yet; waits, so that files can be brought."""

    @hookspec
    def zdb_ready(self) -> None:
        """Hear that all namespaces are open; waits, and what it raises ends the start."""

    @hookspec
    def zdb_jump_index(self, namespace: str, old: str, new: str, dirty: Sequence[int]) -> bool | None:
        """Hear that an index file is whole, and which older ones changed; True if those are seen to."""

    @hookspec
    def zdb_jump_data(self, namespace: str, old: str, new: str) -> None:
        """Hear that a segment is whole and on disk; it does not change until it is compacted."""

    @hookspec
    def zdb_removing(self, namespace: str, segments: Sequence[int]) -> None:
        """Hear that segments are about to be removed, of which nobody needs anything; waits."""

    @hookspec(firstresult=True)
    def zdb_missing_data(self, namespace: str, path: str) -> bool | None:
        """Bring *path* back, and return True; waits, with a limit, while other reads go on."""

    @hookspec(firstresult=True)
    def zdb_missing_range(self, namespace: str, path: str, offset: int, size: int) -> bytes | None:
        """Return the bytes of *path* from *offset* on, at most *size*, or None: then the whole is asked for.

        It is called by whoever reads, perhaps by many at once; what it raises as a `ZdbError` they get.
        """

    @hookspec
    def zdb_namespace_created(self, namespace: str) -> None:
        """Hear that a namespace was made."""

    @hookspec
    def zdb_namespace_updated(self, namespace: str) -> None:
        """Hear that the settings of a namespace have changed."""

    @hookspec
    def zdb_namespace_deleted(self, namespace: str) -> None:
        """Hear that a namespace and its files are gone."""

    @hookspec
    def zdb_namespace_reloaded(self, namespace: str) -> None:
        """Hear that a namespace was read anew from its files."""

    @hookspec
    def zdb_close(self) -> None:
        """Hear that the engine is about to close; waits."""

    @hookspec
    def zdb_namespace_closing(self, namespace: str, index: str, data: str, dirty: Sequence[int]) -> None:
        """Hear that a namespace is closed, and which its last files are; waits."""

    @hookspec
    def zdb_crash(self) -> None:
        """Hear that the process ends by an error that nobody has foreseen."""
