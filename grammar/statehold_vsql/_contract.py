from __future__ import annotations

from collections.abc import Mapping

import attrs

from statehold_vsql._fields import Field
from statehold_vsql._words import Operation, Scope


@attrs.frozen(kw_only=True)
class Contract:
    """What a provider offers, as far as a declaration can be checked without loading any app code.

    `key` and `value` are None where the provider fits whatever KEY and VALUE a declaration gives.
    """

    operations: Mapping[Operation, frozenset[Scope]]
    sync_projector: bool = False
    key: tuple[Field, ...] | None = None
    value: tuple[Field, ...] | None = None
