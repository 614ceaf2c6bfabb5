"""The configuration: one TOML file, with the fields of the original."""

from __future__ import annotations

from statehold_zstor.config._errors import ConfigError
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
    "quorum_of",
]
