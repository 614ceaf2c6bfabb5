from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from statehold.processing import CommandAnswer, Request
from statehold.serving._answers import json_response
from statehold.serving._api import results_of
from statehold.serving._bodies import body, check_json, decode
from statehold.serving._desk import Desk, header
from statehold.serving._parameters import constraints
from statehold.serving._paths import WORKSPACE, number
from statehold.serving._routes import route
from statehold.serving._stream import Stream, StreamResponse


class Documents:
    """Answers what reads views, and reads and changes documents."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._decoder = msgspec.json.Decoder(dict[str, Any])

    def routes(self) -> list[Route]:
        """Return the routes of views and documents."""
        return [
            route(f"{WORKSPACE}/views/{{name}}", GET=self.view),
            route(f"{WORKSPACE}/cdocs/{{name}}", GET=self.documents),
            route(f"{WORKSPACE}/docs/{{name}}", GET=self.singleton, POST=self.create),
            route(
                f"{WORKSPACE}/docs/{{name}}/{{record}}",
                GET=self.document,
                PATCH=self.patch,
                DELETE=self.deactivate,
            ),
        ]

    async def view(self, http: HttpRequest) -> Response:
        """Answer with rows of a view."""
        request, name, given = self._asked(http)
        runtime = self._desk.runtime
        return await self._results(lambda sink: runtime.view(request, name, constraints=given, sink=sink))

    async def documents(self, http: HttpRequest) -> Response:
        """Answer with the documents of a table."""
        request, name, given = self._asked(http)
        runtime = self._desk.runtime
        return await self._results(
            lambda sink: runtime.documents(request, name, constraints=given, sink=sink)
        )

    async def document(self, http: HttpRequest) -> Response:
        """Answer with one document."""
        request, name, given = self._asked(http)
        record = _record(http)
        found = await self._desk.queries.submit(
            lambda: self._desk.runtime.document(request, name, record, constraints=given)
        )
        return json_response(found)

    async def singleton(self, http: HttpRequest) -> Response:
        """Answer with the one document of a singleton table."""
        request, name, given = self._asked(http)
        found = await self._desk.queries.submit(
            lambda: self._desk.runtime.singleton(request, name, constraints=given)
        )
        return json_response(found)

    async def create(self, http: HttpRequest) -> Response:
        """Make a document."""
        request, name = self._request(http), http.path_params["name"]
        given = await self._body(http)
        answer = await self._change(lambda: self._desk.runtime.create(request, name, given))
        return json_response(answer.to_json(), status=201)

    async def patch(self, http: HttpRequest) -> Response:
        """Change fields of a document."""
        request, name, record = self._request(http), http.path_params["name"], _record(http)
        given = await self._body(http)
        answer = await self._change(lambda: self._desk.runtime.patch(request, name, record, given))
        return json_response(answer.to_json())

    async def deactivate(self, http: HttpRequest) -> Response:
        """Take a document out of use."""
        request, name, record = self._request(http), http.path_params["name"], _record(http)
        answer = await self._change(lambda: self._desk.runtime.deactivate(request, name, record))
        return json_response(answer.to_json())

    def _request(self, http: HttpRequest) -> Request:
        given = http.path_params
        workspace = number(given["wsid"], "the workspace")
        return self._desk.request(http.scope, f"{given['owner']}.{given['app']}", workspace)

    def _asked(self, http: HttpRequest) -> tuple[Request, str, Mapping[str, str]]:
        return self._request(http), http.path_params["name"], constraints(http.scope["query_string"])

    async def _body(self, http: HttpRequest) -> dict[str, Any]:
        check_json(header(http.scope, b"content-type"))
        text = await body(http.scope, http.receive, most=self._desk.limits.body)
        return decode(text, self._decoder)

    async def _change(self, change: Callable[[], CommandAnswer]) -> CommandAnswer:
        answer: CommandAnswer = await self._desk.commands.submit(change)
        return answer

    async def _results(
        self, read: Callable[[Callable[[list[dict[str, Any]]], None]], list[dict[str, Any]]]
    ) -> Response:
        answer = await results_of(self._desk.queries, read)
        if isinstance(answer, Stream):
            return StreamResponse(answer)
        return Response(answer, media_type="application/json")


def _record(http: HttpRequest) -> int:
    return number(http.path_params["record"], "the record")
