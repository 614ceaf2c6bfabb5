from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from statehold.serving._answers import send_error
from statehold.serving._bodies import ClientGoneError
from statehold.serving._errors import HttpError

Endpoint: TypeAlias = Callable[[HttpRequest], Awaitable[Response]]


def route(path: str, **methods: Endpoint) -> Route:
    """Return the route of a path, with what answers each method: `route("/x", GET=read, POST=make)`."""

    async def answer(http: HttpRequest) -> Response:
        return await methods["GET" if http.method == "HEAD" else http.method](http)

    return Route(path, answer, methods=list(methods))


class Rest:
    """Answers by routes; every error, a path that leads nowhere too, is an answer in JSON."""

    def __init__(self, routes: Iterable[Route]) -> None:
        # A slash more or less is another path here: none is redirected.
        self._router = Router(list(routes), redirect_slashes=False, default=_nowhere)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI says it."""
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        # With an app in it, the router raises its errors rather than answering them in its own form.
        scope["app"] = self
        try:
            await self._router(scope, receive, noting)
        except ClientGoneError:
            return
        except HTTPException as error:
            await send_error(send, _in_words(error, scope))
        except Exception as error:
            if begun:
                raise
            await send_error(send, error)


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - as ASGI says it
    if scope["type"] == "http":
        raise HttpError(
            404, f"there is nothing at {scope['path'][:200]}", hint="See /api/v2/apps/OWNER/APP/schemas"
        )


def _in_words(error: HTTPException, scope: Scope) -> HttpError:
    headers = error.headers or {}
    allowed = headers.get("Allow", "")
    if error.status_code == 405:
        return HttpError(405, f"{scope['method'][:20]} is not for this path, only {allowed}", headers=headers)
    return HttpError(error.status_code, error.detail, headers=headers)
