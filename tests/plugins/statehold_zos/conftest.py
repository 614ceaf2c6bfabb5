from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from zos_disks import folders, four_disks, two_mirrors

__all__ = ["folders", "four_disks", "two_mirrors"]
