from __future__ import annotations

from statehold.cli import main

main()
