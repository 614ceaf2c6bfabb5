"""The configuration: one TOML file, with the fields of the original.

`Table`, `Problems` and `lines_of` read any TOML file so that all that is wrong with it is told at once.
"""

from __future__ import annotations

from statehold_zstor.config._errors import ConfigError
from statehold_zstor.config._lines import lines_of
from statehold_zstor.config._table import Problems, Table
from statehold_zstor.config._values import (
    Acknowledge,
    BackendConfig,
    BackendKind,
    Config,
    MetaConfig,
    MonitorConfig,
    quorum_of,
)

__all__ = [
    "Acknowledge",
    "BackendConfig",
    "BackendKind",
    "Config",
    "ConfigError",
    "MetaConfig",
    "MonitorConfig",
    "Problems",
    "Table",
    "lines_of",
    "quorum_of",
]
