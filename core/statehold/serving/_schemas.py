from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from statehold.hosting import AppVersion
from statehold.processing import ForbiddenError, Rights, UnknownError
from statehold.sdk import HostError
from statehold.serving._answers import json_response
from statehold.serving._desk import Desk
from statehold.serving._openapi import openapi
from statehold.serving._paths import BASE
from statehold.serving._routes import route

_SCHEMAS = BASE + "/{owner}/{app}/schemas"


class Schemas:
    """Answers what an app declares: its kinds of workspace, their roles, and what a role may call.

    Whoever has no token sees published roles alone.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of schemas."""
        return [
            route(_SCHEMAS, GET=self.workspaces),
            route(f"{_SCHEMAS}/openapi.json", GET=self.everything),
            route(f"{_SCHEMAS}/{{workspace}}/roles", GET=self.roles),
            route(f"{_SCHEMAS}/{{workspace}}/roles/{{role}}", GET=self.role),
        ]

    async def workspaces(self, http: HttpRequest) -> Response:
        """Answer with the kinds of workspace."""
        version, known = self._version(http)
        kinds = [
            {
                "name": str(kind.name),
                "description": kind.comment,
                "roles": f"{http.url.path}/{kind.name}/roles",
            }
            for kind in version.appdef.workspaces.values()
            if not kind.abstract
        ]
        everything = {"openapi": f"{http.url.path}/openapi.json"} if known else {}
        return json_response({"app": version.app, "version": version.name, "workspaces": kinds, **everything})

    async def everything(self, http: HttpRequest) -> Response:
        """Answer with all that the app has to call, whoever may."""
        version, known = self._version(http)
        if not known:
            raise ForbiddenError(
                "all of the app is shown to those alone who have a token for it",
                hint="Send one, or look at the published roles",
            )
        return json_response(
            openapi(version.appdef, app=version.app, version=version.name, permitted=lambda *_: True)
        )

    async def roles(self, http: HttpRequest) -> Response:
        """Answer with the roles in a kind of workspace."""
        version, known = self._version(http)
        kind = Rights(version.appdef).of(http.path_params["workspace"]).kind
        roles = [
            {
                "name": str(role.name),
                "description": role.comment,
                "published": role.published,
                "openapi": f"{http.url.path}/{role.name}",
            }
            for role in version.appdef.roles.values()
            if str(role.name) in kind.roles and (known or role.published)
        ]
        return json_response({"roles": roles})

    async def role(self, http: HttpRequest) -> Response:
        """Answer with what a role may call."""
        version, known = self._version(http)
        workspace, wanted = http.path_params["workspace"], http.path_params["role"]
        rights = Rights(version.appdef).of(workspace)
        role = next((one for one in version.appdef.roles.values() if str(one.name) == wanted), None)
        if role is None or wanted not in rights.kind.roles or not (known or role.published):
            raise UnknownError(f"{workspace} has no role {wanted!r} that is shown here", qname=wanted)
        permitted = rights.permitted([wanted])
        return json_response(
            openapi(
                version.appdef,
                app=version.app,
                version=version.name,
                permitted=lambda operation, thing: (operation, thing) in permitted,
                title=f"{version.app}: {wanted} in {workspace}",
            )
        )

    def _version(self, http: HttpRequest) -> tuple[AppVersion, bool]:
        """Return the version that is current, and whether who asks has a token."""
        app = f"{http.path_params['owner']}.{http.path_params['app']}"
        request = self._desk.request(http.scope, app, 0)
        try:
            return self._desk.host.app(app).current, request.principal is not None
        except HostError as error:
            raise UnknownError(f"no app {app} runs here", qname=app) from error
