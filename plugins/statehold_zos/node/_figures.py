from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs


@attrs.frozen(kw_only=True)
class Figures:
    """What a node has done since it was opened.

    Attributes:
        looks: how often all was looked at.
        failed: how often that failed.
        looked: when it was done last, seconds since 1970; 0.0 for never.
        mended: how many things were put right, by what they were.
        wrong: what was not as it should be at the last look, and was not put right, by what it is.
        events: how many events there were, by kind.

    """

    looks: int = 0
    failed: int = 0
    looked: float = 0.0
    mended: Mapping[str, int] = attrs.field(factory=dict)
    wrong: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    events: Mapping[str, int] = attrs.field(factory=dict)
