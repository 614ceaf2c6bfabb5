"""The storage `Scada`: points of kitchen devices, such as the temperature of an oven."""

from __future__ import annotations

from bills_scada._scada import provider

__all__ = ["provider"]
