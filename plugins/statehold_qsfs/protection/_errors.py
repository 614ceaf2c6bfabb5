from __future__ import annotations

from statehold.sdk import StateholdError


class ProtectionError(StateholdError):
    """What a machine has cannot be kept elsewhere as well, or cannot be brought back."""


class StoreError(ProtectionError):
    """The store cannot do now what it was asked; perhaps later."""


class StoreMissingError(ProtectionError):
    """The store has no such object."""


class StoreChangedError(ProtectionError):
    """Somebody else has replaced the object meanwhile."""


class FencedError(ProtectionError):
    """Another machine has taken over: nothing that is written here is kept elsewhere any more."""


class DivergedError(ProtectionError):
    """What is here and what was stored have not the same past."""


class BarrierError(ProtectionError):
    """What was written could not be stored in time; it is here, and is sent as soon as that can be."""
