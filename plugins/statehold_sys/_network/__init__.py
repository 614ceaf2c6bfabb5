"""Where storages that speak to the network may connect to, and for how long."""

from __future__ import annotations

from statehold_sys._network._deadline import Deadline
from statehold_sys._network._policy import AddressPolicy, AddressRefusedError

__all__ = ["AddressPolicy", "AddressRefusedError", "Deadline"]
