"""Spaces in pools: folders of a reserved size, whose limits are kept by the file system where it can.

Also the folders that 0-db servers have in pools: limited in the same way, by what lives in them.
"""

from __future__ import annotations

from statehold_zos.pools._pools import StoragePools
from statehold_zos.pools._report import Report
from statehold_zos.pools._site import Ground

__all__ = ["Ground", "Report", "StoragePools"]
