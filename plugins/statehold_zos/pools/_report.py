from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Report:
    """What `reconcile` found, and did about it.

    Attributes:
        finished: spaces whose release was begun by somebody who was then killed; they are removed now.
        undone: spaces that were being made by somebody who was then killed; nothing of them is left.
        removed: empty folders, and quota groups, of ours that no reservation knew; they are removed now.
        unknown: folders of ours that hold something and that no reservation knows; left as they are, unless
            that was asked for.
        limited: spaces whose limit was not kept any more, and is kept again.
        gone: spaces whose folder is not there, though their pool is.
        over: spaces that hold more than they may, where nothing is enforced.
        faults: what could not be put right, in words.

    """

    finished: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    limited: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether all was as it should be."""
        return not any(attrs.astuple(self))
