from __future__ import annotations

import sys
from pathlib import Path

# The storages the kit is tried on are imported by name, here and in the runs inside the tests.
sys.path.insert(0, str(Path(__file__).parent))
