"""Limits by the quotas of ext4 and xfs, of a project or of a user."""

from __future__ import annotations

from statehold_quota._kernel._project import ProjectQuota
from statehold_quota._kernel._user import UserQuota

__all__ = ["ProjectQuota", "UserQuota"]
