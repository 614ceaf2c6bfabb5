from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from statehold.hosting import NotFoundError
from statehold.serving._answers import json_response
from statehold.serving._desk import Desk
from statehold.serving._errors import HttpError
from statehold.serving._parameters import parameters
from statehold.serving._paths import BASE
from statehold.serving._routes import route
from statehold.serving._tokens import ANY_APP

_QUARANTINE: Final = "/api/v2/quarantine"
_APP: Final = frozenset({"app"})


class Operating:
    """Tells operators how the apps of the host stand, and lets plugins out of quarantine."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of apps and of the quarantine."""
        return [
            route(BASE, GET=self.apps),
            route(_QUARANTINE, GET=self.quarantine),
            route(f"{_QUARANTINE}/{{name}}", DELETE=self.lift),
        ]

    async def apps(self, http: HttpRequest) -> Response:
        """Answer with every app of the host and its versions, and with what its sandbox lacks."""
        self._desk.operator(http.scope, ANY_APP, what="listing the apps of the host")
        parameters(http.scope["query_string"], frozenset())
        return json_response(await asyncio.to_thread(self._desk.host.listing))

    async def quarantine(self, http: HttpRequest) -> Response:
        """Answer with the plugins that are in quarantine, of one app or of all."""
        app = self._app(http, what="reading the quarantine")
        found = self._desk.host.quarantine.listed(app)
        return json_response({"quarantine": [one.to_json() for one in found]})

    async def lift(self, http: HttpRequest) -> Response:
        """Let the plugins of a distribution run in the host's process again, of one app or of all."""
        app = self._app(http, what="lifting a quarantine")
        try:
            lifted = await asyncio.to_thread(self._desk.host.quarantine.lift, http.path_params["name"], app)
        except NotFoundError as error:
            raise HttpError(404, error.message, hint=error.hint) from error
        return json_response({"lifted": [one.to_json() for one in lifted]})

    def _app(self, http: HttpRequest, *, what: str) -> str | None:
        """Return which app alone is meant; whoever means all must be an operator of all."""
        app = parameters(http.scope["query_string"], _APP).get("app")
        self._desk.operator(http.scope, app or ANY_APP, what=what)
        return app or None
