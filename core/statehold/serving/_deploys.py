from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from statehold.hosting import AppVersion
from statehold.images import open_image
from statehold.processing import ConflictError, RequestError
from statehold.sdk import CompileError, DeployError, HostError, ImageError
from statehold.serving._answers import json_response
from statehold.serving._bodies import pieces
from statehold.serving._desk import Desk
from statehold.serving._errors import HttpError
from statehold.serving._parameters import parameters
from statehold.serving._paths import BASE
from statehold.serving._routes import route

_VERSIONS: Final = BASE + "/{owner}/{app}/versions"
_KNOWN: Final = frozenset({"beside", "accept-breaking"})


class Deploys:
    """Deploys images to the host that serves, and makes versions current, for operators."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self._desk = desk
        self._folder = folder

    def routes(self) -> list[Route]:
        """Return the routes of versions."""
        return [
            route(_VERSIONS, GET=self.versions, POST=self.deploy),
            route(f"{_VERSIONS}/{{version}}/activate", POST=self.activate),
        ]

    async def versions(self, http: HttpRequest) -> Response:
        """Answer with the versions that are deployed."""
        app = self._app(http)
        for status in await asyncio.to_thread(self._desk.host.apps):
            if status.app == app:
                listed = [
                    {
                        "version": one.version,
                        "state": one.state.value,
                        "digest": one.digest,
                        "partitions": one.partitions,
                        "problem": one.problem,
                    }
                    for one in status.versions
                ]
                return json_response({"app": app, "current": status.current, "versions": listed})
        return json_response({"app": app, "current": None, "versions": []})

    async def deploy(self, http: HttpRequest) -> Response:
        """Deploy the image in the body."""
        app = self._app(http)
        given = parameters(http.scope["query_string"], _KNOWN)
        beside, accept_breaking = _flag(given, "beside"), _flag(given, "accept-breaking")
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix="arriving-", suffix=".shi") as file:
            async for piece in pieces(http.scope, http.receive, most=self._desk.limits.image):
                file.write(piece)
            file.flush()
            version = await asyncio.to_thread(
                self._deploy, app, Path(file.name), activate=not beside, accept_breaking=accept_breaking
            )
        return json_response(_document(version), status=201)

    async def activate(self, http: HttpRequest) -> Response:
        """Make a deployed version current."""
        app = self._app(http)
        try:
            version = await asyncio.to_thread(self._desk.host.activate, app, http.path_params["version"])
        except HostError as error:
            raise HttpError(404, error.message, hint=error.hint) from error
        except DeployError as error:
            raise _conflict(error) from error
        return json_response(_document(version))

    def _app(self, http: HttpRequest) -> str:
        app = f"{http.path_params['owner']}.{http.path_params['app']}"
        self._desk.operator(http.scope, app, what="deploying an app")
        return app

    def _deploy(self, app: str, path: Path, *, activate: bool, accept_breaking: bool) -> AppVersion:
        try:
            with open_image(path) as image:
                if image.app != app:
                    raise RequestError(
                        f"the image is of {image.app}, and was sent to {app}",
                        hint="Send it to the path of its app",
                    )
            return self._desk.host.deploy(path, activate=activate, accept_breaking=accept_breaking)
        except (ImageError, CompileError) as error:
            raise RequestError(error.message, hint=error.hint) from error
        except DeployError as error:
            raise _conflict(error) from error


def _flag(given: Mapping[str, str], name: str) -> bool:
    value = given.get(name, "false")
    if value not in ("true", "false"):
        raise RequestError(f"{name}: expected true or false, got {value[:40]!r}")
    return value == "true"


def _conflict(error: DeployError) -> ConflictError:
    return ConflictError(error.message, data={"problems": list(error.problems)})


def _document(version: AppVersion) -> dict[str, object]:
    return {
        "app": version.app,
        "version": version.name,
        "digest": version.digest,
        "state": version.state.value,
        "partitions": len(version.partitions),
        "warnings": list(version.warnings),
    }
