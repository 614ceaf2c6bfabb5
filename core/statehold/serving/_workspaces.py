from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from statehold.serving._answers import json_response
from statehold.serving._bodies import body, check_json, decode
from statehold.serving._desk import Desk, header
from statehold.serving._paths import BASE
from statehold.serving._routes import route


class NewWorkspace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a workspace is made of; `owner` is the workspace that is to own it."""

    kind: str
    name: str
    owner: int = 0
    data: dict[str, Any] | None = None


class Workspaces:
    """Makes workspaces, for whoever owns the one around it, and for operators."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._decoder = msgspec.json.Decoder(NewWorkspace)

    def routes(self) -> list[Route]:
        """Return the route of workspaces."""
        return [route(f"{BASE}/{{owner}}/{{app}}/workspaces", POST=self.create)]

    async def create(self, http: HttpRequest) -> Response:
        """Make a workspace."""
        app = f"{http.path_params['owner']}.{http.path_params['app']}"
        check_json(header(http.scope, b"content-type"))
        text = await body(http.scope, http.receive, most=self._desk.limits.body)
        given = decode(text, self._decoder)
        request = self._desk.request(http.scope, app, given.owner)
        made = await self._desk.commands.submit(
            lambda: self._desk.runtime.create_workspace(request, given.kind, name=given.name, data=given.data)
        )
        return json_response({"workspace": made.workspace, "currentWLogOffset": made.offset}, status=201)
