"""Watches disks and pools: tells what happens, moves contents from failing disks, mends what came back."""

from __future__ import annotations

from statehold_zos.watch._moves import Move, MoveKind
from statehold_zos.watch._subscriptions import Subscription
from statehold_zos.watch._watch import Watch

__all__ = ["Move", "MoveKind", "Subscription", "Watch"]
