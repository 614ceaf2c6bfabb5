from __future__ import annotations

from statehold_sys._mail._storage import SendMail

__all__ = ["SendMail"]
