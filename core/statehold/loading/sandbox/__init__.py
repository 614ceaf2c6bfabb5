"""Shuts a process in: it keeps its folders, its memory and the hosts it was granted, and loses the rest.

It knows nothing of plugins. A process that forks others calls `prepare` once; each child calls `enter` before
it runs anything that is not trusted.
"""

from __future__ import annotations

from statehold.loading.sandbox._broker import Broker
from statehold.loading.sandbox._capabilities import Capabilities, capabilities
from statehold.loading.sandbox._enter import enter
from statehold.loading.sandbox._grants import Grant
from statehold.loading.sandbox._identity import app_uid
from statehold.loading.sandbox._lack import Lack, SandboxError
from statehold.loading.sandbox._numbers import machine
from statehold.loading.sandbox._policy import Policy
from statehold.loading.sandbox._prepare import Prepared, prepare

__all__ = [
    "Broker",
    "Capabilities",
    "Grant",
    "Lack",
    "Policy",
    "Prepared",
    "SandboxError",
    "app_uid",
    "capabilities",
    "enter",
    "machine",
    "prepare",
]
