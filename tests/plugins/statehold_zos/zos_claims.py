"""Requests in the words of the tests of the ledger."""

from __future__ import annotations

from typing import Any

from statehold_zos.ledger import Claim, ClaimKind, Ledger, Request
from statehold_zos.model import DiskType, Mode


def space(size: int, **more: Any) -> Request:
    """Return a request for a space on SSD."""
    return Request(**{"kind": ClaimKind.SPACE, "type": DiskType.SSD, "size": size} | more)


def namespace(size: int, **more: Any) -> Request:
    """Return a request for a namespace on HDD."""
    values = {"kind": ClaimKind.NAMESPACE, "type": DiskType.HDD, "size": size, "mode": Mode.USER}
    return Request(**values | more)


def settled(ledger: Ledger, request: Request) -> Claim:
    """Reserve, and say that it is there."""
    return ledger.claims.settle(ledger.claims.reserve(request).id)
