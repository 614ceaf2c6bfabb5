from __future__ import annotations

from statehold.sdk import StateholdError


class MountError(StateholdError):
    """A filesystem cannot be mounted or unmounted, or is not mounted."""
