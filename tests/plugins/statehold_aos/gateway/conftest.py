from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from rabbit_server import rabbit, rabbit_alone, rabbit_server

__all__ = ["rabbit", "rabbit_alone", "rabbit_server"]
