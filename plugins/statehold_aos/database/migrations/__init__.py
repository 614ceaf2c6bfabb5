"""How the schema of a database is brought from one version to another, forward and back.

Version 1 is the seed's own schema, as the AOS Service Manager writes it.
"""

from __future__ import annotations

from statehold_aos.database.migrations._run import CURRENT, migrate
from statehold_aos.database.migrations._step import Done, Options

__all__ = ["CURRENT", "Done", "Options", "migrate"]
