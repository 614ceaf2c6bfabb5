from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from statehold.hosting import AppVersion, Canary, NotFoundError, Step
from statehold.images import open_image
from statehold.processing import ConflictError, RequestError
from statehold.sdk import CompileError, DeployError, ImageError
from statehold.serving._answers import encode, error_member, json_response
from statehold.serving._bodies import ClientGoneError, pieces
from statehold.serving._desk import Desk
from statehold.serving._errors import HttpError
from statehold.serving._parameters import parameters
from statehold.serving._paths import APP
from statehold.serving._routes import route
from statehold.serving._stream import Stream, StreamResponse

_VERSIONS: Final = APP + "/versions"
_PROGRESS: Final = "progress"
_CANARY: Final = {
    "canary": "share",
    "canary-seconds": "seconds",
    "canary-calls": "calls",
    "canary-errors": "errors",
}
_KNOWN: Final = frozenset({"beside", "accept-breaking", _PROGRESS, *_CANARY})
_LINES: Final = ((b"content-type", b"application/x-ndjson"),)

T = TypeVar("T")

#: Changes which versions there are, telling how far it has got; returns what is to be answered.
Change = Callable[[Callable[[Step], None]], Mapping[str, object]]


class Deploys:
    """Deploys images to the host that serves, makes versions current and takes them away, for operators."""

    def __init__(self, desk: Desk, folder: Path, *, stopping: Callable[[], bool]) -> None:
        self._desk = desk
        self._folder = folder
        self._stopping = stopping

    def routes(self) -> list[Route]:
        """Return the routes of versions."""
        return [
            route(_VERSIONS, GET=self.versions, POST=self.deploy),
            route(f"{_VERSIONS}/rollback", POST=self.rollback),
            route(f"{_VERSIONS}/{{version}}/activate", POST=self.activate),
            route(f"{_VERSIONS}/{{version}}", DELETE=self.undeploy),
            route(APP, DELETE=self.undeploy),
        ]

    async def versions(self, http: HttpRequest) -> Response:
        """Answer with the versions that are deployed."""
        app = self._app(http)
        for status in await asyncio.to_thread(self._desk.host.apps):
            if status.app == app:
                return json_response(status.to_json())
        return json_response({"app": app, "current": None, "versions": []})

    async def deploy(self, http: HttpRequest) -> Response:
        """Deploy the image in the body."""
        app = self._app(http)
        given = parameters(http.scope["query_string"], _KNOWN)
        beside, accept_breaking = _flag(given, "beside"), _flag(given, "accept-breaking")
        canary = _canary(given)
        with ExitStack() as files:
            file = files.enter_context(
                tempfile.NamedTemporaryFile(dir=self._folder, prefix="arriving-", suffix=".shi")
            )
            async for piece in pieces(http.scope, http.receive, most=self._desk.limits.image):
                file.write(piece)
            file.flush()
            change = partial(
                self._deploy,
                app,
                Path(file.name),
                activate=not beside,
                accept_breaking=accept_breaking,
                canary=canary,
            )
            return await self._change(app, change, given, status=201, after=files.pop_all().close)

    async def activate(self, http: HttpRequest) -> Response:
        """Make a deployed version current."""
        app = self._app(http)
        given = parameters(http.scope["query_string"], frozenset({"accept-breaking", _PROGRESS}))
        activate = partial(
            self._desk.host.activate,
            app,
            http.path_params["version"],
            accept_breaking=_flag(given, "accept-breaking"),
        )
        return await self._change(
            app, lambda progress: _document(_told(partial(activate, progress=progress))), given
        )

    async def rollback(self, http: HttpRequest) -> Response:
        """Make the version current that was current before."""
        app = self._app(http)
        given = parameters(http.scope["query_string"], frozenset({_PROGRESS}))
        rollback = partial(self._desk.host.rollback, app)
        return await self._change(
            app, lambda progress: _document(_told(partial(rollback, progress=progress))), given
        )

    async def undeploy(self, http: HttpRequest) -> Response:
        """Forget an app, or one version of it; calls in flight end on it."""
        app = self._app(http)
        given = parameters(http.scope["query_string"], frozenset({_PROGRESS}))
        version = http.path_params.get("version")
        undeploy = partial(self._desk.host.undeploy, app, version)

        def change(progress: Callable[[Step], None]) -> Mapping[str, object]:
            _told(partial(undeploy, progress=progress))
            return {"app": app, "version": version}

        return await self._change(app, change, given)

    async def _change(
        self,
        app: str,
        change: Change,
        given: Mapping[str, str],
        *,
        status: int = 200,
        after: Callable[[], None] = lambda: None,
    ) -> Response:
        """Answer with what becomes of a change; where the client asks for progress, line by line.

        Where that client goes before the new version is current, what ran before goes on.
        """
        if not _flag(given, _PROGRESS):
            document = await _in_thread(lambda: change(lambda _: None), after)
            return json_response(document, status=status)
        stream = Stream(asyncio.get_running_loop())
        _in_thread(lambda: self._stream(app, change, stream), after)
        return StreamResponse(stream, _LINES)

    def _stream(self, app: str, change: Change, stream: Stream) -> None:
        def tell(step: Step) -> None:
            stream.push(encode({"step": step.stage, "text": str(step), **step.figures}) + b"\n")

        try:
            with self._desk.host.following(app, tell):
                document = change(tell)
            end = encode({"ok": True, **document})
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - it is the answer
            end = b'{"ok":false,"error":' + error_member(error) + b"}"
        # The loop may be closed by now, with the server.
        with suppress(RuntimeError):
            stream.end(end + b"\n")

    def _app(self, http: HttpRequest) -> str:
        app = f"{http.path_params['owner']}.{http.path_params['app']}"
        self._desk.operator(http.scope, app, what="deploying an app")
        return app

    def _deploy(
        self,
        app: str,
        path: Path,
        progress: Callable[[Step], None],
        *,
        activate: bool,
        accept_breaking: bool,
        canary: Canary | None,
    ) -> Mapping[str, object]:
        try:
            with open_image(path) as image:
                if image.app != app:
                    raise RequestError(
                        f"the image is of {image.app}, and was sent to {app}",
                        hint="Send it to the path of its app",
                    )
                what = Step(f"verify the image of {image.app} {image.version}")

            def tell(step: Step) -> None:
                if step.stage == "canary" and self._stopping():
                    raise HttpError(
                        503,
                        f"the canary of {what.partition(' of ')[2]} was ended: the server stops",
                        hint="The version before it answers all calls again",
                    )
                # Where it lies until then is the server's alone.
                progress(what if step.stage == what.stage else step)

            version = self._desk.host.deploy(
                path,
                activate=activate,
                accept_breaking=accept_breaking,
                canary=canary,
                progress=tell,
            )
        except (ImageError, CompileError) as error:
            raise RequestError(error.message, hint=error.hint) from error
        except DeployError as error:
            raise _conflict(error) from error
        return _document(version)


def _flag(given: Mapping[str, str], name: str) -> bool:
    value = given.get(name, "false")
    if value not in ("true", "false"):
        raise RequestError(f"{name}: expected true or false, got {value[:40]!r}")
    return value == "true"


def _canary(given: Mapping[str, str]) -> Canary | None:
    found: dict[str, Any] = {}
    for name, field in _CANARY.items():
        if name in given:
            try:
                found[field] = int(given[name]) if field == "calls" else float(given[name])
            except ValueError:
                raise RequestError(f"{name}: expected a number, got {given[name][:40]!r}") from None
    if not found:
        return None
    if "share" not in found:
        raise RequestError(
            f"{next(name for name in given if name in _CANARY)} goes with canary, the share of partitions"
        )
    try:
        return Canary(**found)
    except ValueError as error:
        raise RequestError(str(error)) from error


def _told(change: Callable[[], T]) -> T:
    try:
        return change()
    except DeployError as error:
        raise _conflict(error) from error
    except NotFoundError as error:
        raise HttpError(404, error.message, hint=error.hint) from error


def _in_thread(work: Callable[[], Any], after: Callable[[], None]) -> asyncio.Future[Any]:
    """Do work on a thread that keeps no process from ending: a canary takes its time."""
    future: Future[Any] = Future()
    # Who waits may be cancelled, as where the server stops; the work is not.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is for whoever waits
            after()
            _set(partial(future.set_exception, error))
        else:
            after()
            _set(partial(future.set_result, result))

    threading.Thread(target=run, name="statehold-deploy", daemon=True).start()
    return asyncio.wrap_future(future)


def _set(end: Callable[[], None]) -> None:
    # Nobody waits any more, or the loop is closed.
    with suppress(RuntimeError):
        end()


def _conflict(error: DeployError) -> ConflictError:
    return ConflictError(error.message, data={"problems": list(error.problems)}, hint=error.hint)


def _document(version: AppVersion) -> dict[str, object]:
    return {
        "app": version.app,
        "version": version.name,
        "digest": version.digest,
        "state": version.state.value,
        "partitions": len(version.partitions),
        "warnings": list(version.warnings),
    }
