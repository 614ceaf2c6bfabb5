from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class NamespaceReport:
    """What `reconcile` found, and did about it. Namespaces and servers are named by their ids.

    Attributes:
        undone: namespaces that somebody was making who was then killed; nothing of them is left.
        deleted: namespaces that were released, and whose grace time is over.
        started: servers that did not run or did not answer, and do now.
        ended: servers without a namespace, which are gone with their folders.
        mended: namespaces whose limit, lock or privacy was not what was reserved, and is again.
        relieved: namespaces that could not be written, for their disk was full; they were compacted.
        over: namespaces that take more of their disk than was reserved, as many small payloads do; of what
            they do not need they were compacted.
        missing: namespaces that their server does not have; they are left as they are.
        unknown: namespaces on servers that nobody has reserved and that hold something; locked, not deleted.
        removed: empty namespaces, and processes, that nobody has reserved; gone.
        faults: what could not be put right, in words.

    """

    undone: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()
    relieved: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether all was as it should be."""
        return not any(attrs.astuple(self))
