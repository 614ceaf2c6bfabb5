from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from statehold.processing import CommandAnswer, Request
from statehold.serving._answers import encode, send_error, send_json
from statehold.serving._bodies import ClientGoneError, CommandBody, body, check_json, decode
from statehold.serving._desk import Desk, header
from statehold.serving._errors import HttpError, stopping
from statehold.serving._parameters import query_parameters
from statehold.serving._paths import Call, Calls
from statehold.serving._pool import Pool
from statehold.serving._results import Results
from statehold.serving._stream import Stream

_NO_BODY: Final = CommandBody()


class Api:
    """Answers commands and queries by the shortest way, and leaves all other requests to *rest*."""

    def __init__(self, desk: Desk, rest: ASGIApp) -> None:
        self._desk = desk
        self._rest = rest
        self._calls = Calls()
        self._decoder = msgspec.json.Decoder(CommandBody)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI says it."""
        try:
            await self._serve(scope, receive, send)
        except asyncio.CancelledError:
            # The server stops, and has waited for long enough. An answer that has begun stays cut off.
            with contextlib.suppress(RuntimeError):
                await send_error(send, stopping())

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        try:
            call = self._calls.find(scope["path"])
            answer = None if call is None else await self._answer(call, scope, receive)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - every error is an answer
            await send_error(send, error)
            return
        if call is None:
            await self._rest(scope, receive, send)
        elif isinstance(answer, Stream):
            await answer.send(receive, send)
        elif answer is not None:
            await send_json(send, answer)

    async def _answer(self, call: Call, scope: Scope, receive: Receive) -> bytes | Stream:
        if scope["method"] != call.method:
            raise HttpError(
                405,
                f"{call.name} is called by {call.method}, not by {scope['method'][:20]}",
                headers={"Allow": call.method},
            )
        request = self._desk.request(scope, call.app, call.workspace)
        if call.command:
            return await self._command(call, request, scope, receive)
        args, constraints = query_parameters(scope["query_string"])
        runtime, name = self._desk.runtime, call.name
        return await results_of(
            self._desk.queries,
            lambda sink: runtime.query(request, name, args, constraints=constraints, sink=sink),
        )

    async def _command(self, call: Call, request: Request, scope: Scope, receive: Receive) -> bytes:
        text = await body(scope, receive, most=self._desk.limits.body)
        if text:
            check_json(header(scope, b"content-type"))
        given = decode(text, self._decoder) if text else _NO_BODY
        pool = self._desk.commands
        pool.check()
        future: asyncio.Future[CommandAnswer] = asyncio.get_running_loop().create_future()
        wait = pool.waits.open(future)

        def then(answer: CommandAnswer | Exception) -> None:
            if isinstance(answer, Exception):
                wait.error = answer
            else:
                wait.result = answer
            pool.waits.put(wait)
            pool.waits.post()

        try:
            self._desk.runtime.submit(
                request, call.name, given.args, unlogged=given.unloggedArgs, then=then, lead=pool.run
            )
        except BaseException:
            pool.waits.drop(wait)
            raise
        return encode((await future).to_json())


async def results_of(
    pool: Pool, read: Callable[[Callable[[list[dict[str, Any]]], None]], list[dict[str, Any]]]
) -> bytes | Stream:
    """Return the body with the results that *read* reads, or a stream of it where there are many."""
    results = Results(asyncio.get_running_loop())
    begun = pool.submit(results.run, read)
    results.begun = begun
    try:
        answer: bytes | Stream = await begun
    except BaseException:
        results.leave()
        raise
    return answer
