"""What becomes of four disks: `statehold zos demo`."""

from __future__ import annotations

from statehold_zos.demo._ground import Folders, Ground, Images
from statehold_zos.demo._left import PREFIX, clear, marked
from statehold_zos.demo._story import Told, tell

__all__ = ["PREFIX", "Folders", "Ground", "Images", "Told", "clear", "marked", "tell"]
