"""Limits by the size of a file system of its own, in an image file on any other one."""

from __future__ import annotations

from statehold_quota._loop._backend import LoopImage

__all__ = ["LoopImage"]
