from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import pytest

from statehold.events import Schemas
from statehold.extensions import Engines, open_engines
from statehold.sdk import Scope
from statehold.state import State


@attrs.frozen
class Running:
    """An app whose code runs: `run` returns the state in which an extension has been run."""

    stage: Any
    engines: Engines

    def run(self, name: str, *, kind: Scope = Scope.COMMANDS, arg: Mapping[str, Any] | None = None) -> State:
        argument = None
        if arg is not None:
            argument = Schemas(self.stage.appdef)["bills.PayBillParams"].rows.value(**arg)
        state: State = self.stage.state(name, argument=argument)
        self.engines.of[name].invoke(name, state, state.call, partition=1, kind=kind)
        return state

    def intents(self, name: str, **more: Any) -> list[tuple[str, str]]:
        """Return storage and intent of what an extension has asked for."""
        return [(str(slot), str(intent.value)) for slot, intent in self.run(name, **more).intents()]


@pytest.fixture
def start(make: Callable[..., Any]) -> Iterator[Callable[..., Running]]:
    """Return what makes an app and opens its engines, which are freed after the test."""
    opened: list[Engines] = []

    def start(bills: str = "", **more: Any) -> Running:
        code = more.pop("code", {})
        if bills:
            code = {"bills.py": f"from statehold.sdk import extension\n{bills}", **code}
        change = {name: more.pop(name) for name in ("change",) if name in more}
        stage = make(code, **change)
        opened.append(open_engines(stage.context(**more)))
        return Running(stage, opened[-1])

    yield start
    for engines in opened:
        engines.free()
