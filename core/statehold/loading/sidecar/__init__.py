"""Runs the storages of a plugin in processes of their own, behind the same providers as in this one."""

from __future__ import annotations

from statehold.loading.sidecar._errors import Reason, SidecarError
from statehold.loading.sidecar._limits import Limits
from statehold.loading.sidecar._sidecars import Sidecars
from statehold.loading.sidecar.host._plugin import SidecarPlugin, SidecarReport, SidecarStatus

__all__ = ["Limits", "Reason", "SidecarError", "SidecarPlugin", "SidecarReport", "SidecarStatus", "Sidecars"]
