from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from statehold.events import allocate_workspace
from statehold.hosting import App, Host
from statehold.processing._answers import CommandAnswer, JobStatus, Lag, NewWorkspace
from statehold.processing._clock import SystemClock
from statehold.processing._collecting import Collector
from statehold.processing._command import Command
from statehold.processing._documents import read_document, read_documents
from statehold.processing._errors import BusyError, ClosedError, ProcessingError, UnknownError
from statehold.processing._failure import Explaining, explained, failure
from statehold.processing._kit import Kit
from statehold.processing._meter import Meter, NoMeter
from statehold.processing._query import run_query
from statehold.processing._request import Request
from statehold.processing._settings import Settings
from statehold.processing._share import Share
from statehold.processing._slice import Slice
from statehold.processing._timer import Timer
from statehold.processing._views import read_view
from statehold.processing._work import Work
from statehold.processing._workers import Workers
from statehold.processing._workspaces import check_new_workspace
from statehold.processing._writing import Create, CreateWorkspace, Patch
from statehold.sdk import Clock, HostError

#: Seconds after which it is looked whether work waits for threads that hang.
_CHECK: Final = 0.25

#: Takes the next results in order, each a `Value` or a mapping, which `msgspec.json.encode` writes. It may
#: wait, and the query waits with it.
Sink: TypeAlias = Callable[[list[Any]], None]


class Runtime:
    """Runs the commands, queries, projectors and jobs of every app of a host, until it is closed.

    Any number of threads may ask. Versions may be deployed meanwhile: what has begun ends on the version on
    which it began.

    Args:
        host: the host; the runtime does not close it.
        settings: how much at once, and how long.
        clock: the time of events, limits, retries and jobs.
        meter: hears of everything.
        background: whether projectors and jobs run; without, commands, queries and sync projectors alone.
        jobs: whether jobs run, too; without, the runtime has none.

    """

    def __init__(
        self,
        host: Host,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        meter: Meter | None = None,
        background: bool = True,
        jobs: bool = True,
    ) -> None:
        self._host = host
        self._settings = settings or Settings()
        self._meter = meter or NoMeter()
        self._logger = logging.getLogger("statehold.runtime")
        self._background = background
        self._runs_jobs = jobs
        clock = clock or SystemClock()
        self._timer = Timer(clock, failed=self._told)
        self._lanes = Workers("statehold-lane", size=64, failed=self._told)
        self._workers = Workers("statehold-worker", size=self._settings.workers, failed=self._told)
        self._kit = Kit(
            settings=self._settings,
            clock=clock,
            meter=self._meter,
            logger=self._logger,
            timer=self._timer,
            start_lane=self._lanes.submit,
            workers=self._workers,
        )
        self._making = threading.Lock()
        self._moved = threading.Condition()
        self._shares: dict[str, Share] = {}
        self._is_closed = False
        self._forget = host.listen(self._swapped)
        try:
            for app in host.running:
                self._share(app.name)
        except BaseException:
            self.close()
            raise
        self._timer.after(_CHECK, self._check)

    def command(
        self,
        request: Request,
        name: str,
        args: Mapping[str, Any] | None = None,
        *,
        unlogged: Mapping[str, Any] | None = None,
    ) -> CommandAnswer:
        """Run a command, wait until it is durable, and return its answer.

        Raises:
            ProcessingError: it was refused or has failed, and nothing of it is stored; `status` says how for
                HTTP. Only a `BusyError` or `StoreError` with `unknown` leaves it open.

        """
        began, status = time.perf_counter(), 500
        try:
            with Explaining(name):
                answer = self._do(request, request.workspace, Command(request, name, args, unlogged), name)
            status = 200
        except ProcessingError as error:
            status = error.status
            raise
        finally:
            self._meter.command(request.app, name, status, time.perf_counter() - began)
        return answer

    def submit(
        self,
        request: Request,
        name: str,
        args: Mapping[str, Any] | None = None,
        *,
        unlogged: Mapping[str, Any] | None = None,
        then: Callable[[CommandAnswer | Exception], None],
        lead: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        """Run a command as `command` does, and call *then* with its answer or error instead of waiting.

        *then* is called once, on whatever thread, and must return at once. Nothing is run on the calling
        thread, so an event loop may ask. Where the partition of the command has nobody who runs what is
        queued, *lead* is called once with that work, to run it on a thread that may wait; without, a thread
        of the runtime does. It holds one thread per busy partition.
        """
        began = time.perf_counter()

        def done(answer: CommandAnswer | Exception) -> None:
            status = failure(answer).status if isinstance(answer, Exception) else 200
            self._meter.command(request.app, name, status, time.perf_counter() - began)
            then(answer)

        try:
            lane = self._share(request.app).slice_of(request.workspace).lane
            lane.submit(Command(request, name, args, unlogged), done, start=lead)
        except Exception as error:  # noqa: BLE001 - it is the answer
            done(explained(error, name))

    def query(
        self,
        request: Request,
        name: str,
        args: Mapping[str, Any] | None = None,
        *,
        constraints: Mapping[str, Any] | None = None,
        sink: Sink | None = None,
    ) -> list[Any]:
        """Run a query on the calling thread and return its results, or hand them to *sink* while they come.

        Args:
            request: who asks, of what.
            name: the qualified name of the query.
            args: its argument.
            constraints: `order`, `limit`, `skip`, `include`, `keys`, `where`, as text or as values.
            sink: takes the results in chunks; an error that it raises ends the query. Then the list is empty.

        Raises:
            ProcessingError: it was refused, has failed or took too long; what *sink* was given stays given.

        """
        began = time.perf_counter()
        results: list[Any] = []
        timeout = self._settings.query_timeout if request.timeout is None else request.timeout
        take = Collector(self._settings.max_results, results) if sink is None else sink
        status, count = 500, 0
        try:
            with self._slice(request).borrow() as bench:
                count = run_query(
                    bench, request, name, args, given=constraints, sink=take, began=began, timeout=timeout
                )
            status = 200
        except ProcessingError as error:
            status = error.status
            raise
        except Exception as error:
            found = explained(error, name)
            status = found.status
            raise found from error
        finally:
            self._meter.query(request.app, name, status, time.perf_counter() - began, count)
        return results

    def view(
        self, request: Request, name: str, *, constraints: Mapping[str, Any], sink: Sink | None = None
    ) -> list[Any]:
        """Return rows of a view; `where` must fix each field of its partition key by `$eq` or `$in`."""
        collector = Collector(self._settings.max_results)
        with Explaining(name), self._slice(request).borrow() as bench:
            read_view(bench, request, name, given=constraints, sink=sink or collector)
        return collector.results

    def document(
        self, request: Request, table: str, record: int, *, constraints: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return a document or record, with what `include` names inside it."""
        with Explaining(table), self._slice(request).borrow() as bench:
            return read_document(bench, request, table, record, given=constraints)

    def singleton(
        self, request: Request, table: str, *, constraints: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the one record of a singleton table, as `document`."""
        with Explaining(table), self._slice(request).borrow() as bench:
            return read_document(bench, request, table, None, given=constraints)

    def documents(
        self,
        request: Request,
        table: str,
        *,
        constraints: Mapping[str, Any] | None = None,
        sink: Sink | None = None,
    ) -> list[Any]:
        """Return the documents of a CDoc table, in the order of their ids unless `order` says otherwise."""
        collector = Collector(self._settings.max_results)
        with Explaining(table), self._slice(request).borrow() as bench:
            read_documents(bench, request, table, given=constraints, sink=sink or collector)
        return collector.results

    def create(self, request: Request, table: str, document: Mapping[str, Any]) -> CommandAnswer:
        """Make a document with its nested records; `sys.ID` in it are raw ids, from 1 to 65535."""
        return self._write(request, table, Create(request, table, document))

    def patch(self, request: Request, table: str, record: int, changes: Mapping[str, Any]) -> CommandAnswer:
        """Change fields of a record; `sys.IsActive` activates or deactivates it."""
        return self._write(request, table, Patch(request, table, record, changes))

    def deactivate(self, request: Request, table: str, record: int) -> CommandAnswer:
        """Take a record out of use; it stays readable."""
        return self._write(request, table, Patch(request, table, record, {"sys.IsActive": False}))

    def create_workspace(
        self, request: Request, kind: str, *, name: str, data: Mapping[str, Any] | None = None
    ) -> NewWorkspace:
        """Make a workspace of a kind inside that of the request, which becomes its owner; 0 for no owner.

        Args:
            request: who asks, and the workspace that is to own the new one.
            kind: the kind's qualified name; that of the owner must USE it.
            name: what the workspace is called.
            data: fields of the kind's own descriptor.

        """
        share = self._share(request.app)
        with Explaining(kind), self._slice(request).borrow() as bench:
            check_new_workspace(bench, request, kind)
        workspace = allocate_workspace(share.data.store)
        work = CreateWorkspace(workspace, kind=kind, title=name, data=data, owner=request.workspace)
        answer = self._do(request, workspace, work, kind)
        return NewWorkspace(workspace=workspace, offset=answer.offset)

    def roles(self, request: Request) -> frozenset[str]:
        """Return the roles that the principal has in the workspace, inherited ones too."""
        with Explaining(""), self._slice(request).borrow() as bench:
            return bench.gate.enter(bench.parts, bench.reader, request).roles

    def run_job(self, app: str, job: str, workspace: int = 1) -> None:
        """Run a job now, beside its schedule; raise `ConflictError` if it is running."""
        self._share(app).job(job, workspace).run()

    def lags(self, app: str | None = None) -> tuple[Lag, ...]:
        """Return how far each asynchronous projector is behind, in each partition."""
        return tuple(lag for share in self._named(app) for lag in share.lags())

    def jobs(self, app: str | None = None) -> tuple[JobStatus, ...]:
        """Return every job of every app workspace."""
        return tuple(job for share in self._named(app) for job in share.jobs())

    def wait_for_projectors(self, app: str | None = None, *, timeout: float = 10.0) -> bool:
        """Return whether all projectors have seen all events logged so far, within *timeout* seconds."""
        wanted = [one for share in self._named(app) for one in share.goals()]

        def reached() -> bool:
            return all((projector.offset or 0) >= head for projector, head in wanted)

        with self._moved:
            return self._moved.wait_for(reached, timeout)

    def tick(self) -> None:
        """Look at the clock now: what is due is begun. For tests that turn the clock themselves."""
        self._timer.tick()

    def close(self) -> None:
        """Take no further request, let what is under way end, end all threads; a second time does nothing."""
        with self._making:
            if self._is_closed:
                return
            self._is_closed = True
            shares = list(self._shares.values())
        self._forget()
        self._timer.close()
        end = time.monotonic() + self._settings.drain
        for share in shares:
            share.stop()
        hanging = [name for share in shares for name in share.close(end)]
        for workers in (self._workers, self._lanes):
            hanging += workers.close(max(0.0, end - time.monotonic()))
        if hanging:
            self._logger.warning("the runtime was closed, and these still hang: %s", ", ".join(hanging))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, request: Request, workspace: int, work: Work, what: str) -> CommandAnswer:
        timeout = self._settings.command_timeout if request.timeout is None else request.timeout
        slice_ = self._share(request.app).slice_of(workspace)
        try:
            answer: CommandAnswer = slice_.lane.do(work, timeout=timeout, what=what)
        except BusyError:
            self._meter.denied(request.app, what, "busy")
            slice_.hangs()
            raise
        return answer

    def _write(self, request: Request, table: str, work: Work) -> CommandAnswer:
        with Explaining(table):
            return self._do(request, request.workspace, work, table)

    def _slice(self, request: Request) -> Slice:
        return self._share(request.app).slice_of(request.workspace)

    def _share(self, name: str) -> Share:
        share = self._shares.get(name)
        if share is not None and not share.is_closed:
            return share
        with self._making:
            if self._is_closed:
                raise ClosedError("the runtime has been closed", hint="Make another one")
            share = self._shares.get(name)
            if share is None or share.is_closed:
                try:
                    app = self._host.app(name)
                    # While anything of it was under way, an app that was taken away keeps its data.
                    if share is None or share.data is not app.data:
                        if share is not None:
                            share.stop()
                        share = Share(
                            app,
                            self._kit,
                            background=self._background,
                            jobs=self._runs_jobs,
                            moved=self._has_moved,
                        )
                except HostError as error:
                    raise UnknownError(str(error), qname=name) from error
                self._shares[name] = share
                share.refresh()
        return share

    def _named(self, app: str | None) -> list[Share]:
        if app is not None:
            return [self._share(app)]
        found = []
        for name, share in list(self._shares.items()):
            if share.app.current_or_none is not None:
                with suppress(UnknownError):  # taken away meanwhile
                    found.append(self._share(name))
        return found

    def _swapped(self, app: App) -> None:
        share = self._shares.get(app.name)
        if app.current_or_none is None and share is not None:
            share.is_closed = True
        self._workers.submit(partial(self._refresh, app))

    def _refresh(self, app: App) -> None:
        """Go on with what the app has become meanwhile."""
        share = self._shares.get(app.name)
        if app.current_or_none is not None and (share is None or share.is_closed):
            with suppress(UnknownError, ClosedError):
                self._share(app.name)
        elif share is not None:
            share.refresh()

    def _check(self) -> None:
        self._workers.check()
        self._lanes.check()
        if not self._is_closed:
            self._timer.after(_CHECK, self._check)

    def _has_moved(self) -> None:
        with self._moved:
            self._moved.notify_all()

    def _told(self, error: Exception) -> None:
        self._logger.error("something in the runtime failed", exc_info=error)
