"""The configuration of a node: one TOML file, with all that is wrong with it told at once."""

from __future__ import annotations

from statehold_zos.config._errors import ConfigError
from statehold_zos.config._parse import config_of, read_config

__all__ = ["ConfigError", "config_of", "read_config"]
