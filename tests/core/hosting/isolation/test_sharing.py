from __future__ import annotations

import logging
from typing import Any

import pytest

from statehold.hosting import Sandbox
from statehold.hosting._sandbox import SidecarHome
from statehold.loading import sidecar


@pytest.mark.parametrize(("said", "shares"), [("off", False), ("on", True), (None, True)])
def test_the_environment_of_a_host_says_whether_its_sidecars_share_memory(
    monkeypatch: pytest.MonkeyPatch, said: str | None, *, shares: bool
) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(sidecar, "Sidecars", lambda **options: made.append(options))
    monkeypatch.delenv("STATEHOLD_SHARE_MEMORY", raising=False)
    if said is not None:
        monkeypatch.setenv("STATEHOLD_SHARE_MEMORY", said)

    SidecarHome(Sandbox.AVAILABLE, private=(), logger=logging.getLogger("test.sharing")).get()
    assert made[0]["share"] is shares
