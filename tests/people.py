"""Somebody who uses an app, for the tests of whole apps."""

from __future__ import annotations

from typing import Any, Self

import attrs
import msgspec

from statehold.processing import CommandAnswer, Request, Runtime
from statehold.sdk import Principal


@attrs.frozen(kw_only=True)
class Person:
    """Somebody with one role in one workspace; what is asked for is named without its package."""

    runtime: Runtime
    request: Request
    package: str

    @classmethod
    def of(cls, runtime: Runtime, app: str, workspace: int, *, name: str, role: str) -> Self:
        package = app.partition(".")[2]
        principal = Principal(name=name, kind=1, roles={workspace: frozenset({f"{package}.{role}"})})
        request = Request(app=app, workspace=workspace, principal=principal)
        return cls(runtime=runtime, request=request, package=package)

    def command(self, name: str, /, **args: Any) -> CommandAnswer:
        return self.runtime.command(self.request, f"{self.package}.{name}", args)

    def query(self, name: str, /, **args: Any) -> list[dict[str, Any]]:
        return msgspec.to_builtins(self.runtime.query(self.request, f"{self.package}.{name}", args))

    def view(self, name: str, /, **where: Any) -> list[dict[str, Any]]:
        found = self.runtime.view(self.request, f"{self.package}.{name}", constraints={"where": where})
        return msgspec.to_builtins(found)
