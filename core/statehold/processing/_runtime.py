from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeAlias

from statehold.hosting import Host
from statehold.processing._answers import CommandAnswer, JobStatus, Lag, NewWorkspace
from statehold.processing._meter import Meter
from statehold.processing._request import Request
from statehold.processing._settings import Settings
from statehold.sdk import Clock

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

    """

    def __init__(
        self,
        host: Host,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        meter: Meter | None = None,
        background: bool = True,
    ) -> None:
        raise NotImplementedError

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
        raise NotImplementedError

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

        *then* is called once, on whatever thread, and must return at once. The calling thread may be used to
        run this command, so it is not to be an event loop's. With *lead* it never is: the command is queued,
        and where its partition has nobody who runs what is queued, *lead* is called once with that work, to
        run it on a thread that may wait. So an event loop may ask, and holds one thread per busy partition.
        """
        raise NotImplementedError

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
        raise NotImplementedError

    def view(
        self, request: Request, name: str, *, constraints: Mapping[str, Any], sink: Sink | None = None
    ) -> list[Any]:
        """Return rows of a view; `where` must fix each field of its partition key by `$eq` or `$in`."""
        raise NotImplementedError

    def document(
        self, request: Request, table: str, record: int, *, constraints: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return a document or record, with what `include` names inside it."""
        raise NotImplementedError

    def singleton(
        self, request: Request, table: str, *, constraints: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the one record of a singleton table, as `document`."""
        raise NotImplementedError

    def documents(
        self,
        request: Request,
        table: str,
        *,
        constraints: Mapping[str, Any] | None = None,
        sink: Sink | None = None,
    ) -> list[Any]:
        """Return the documents of a CDoc table, in the order of their ids unless `order` says otherwise."""
        raise NotImplementedError

    def create(self, request: Request, table: str, document: Mapping[str, Any]) -> CommandAnswer:
        """Make a document with its nested records; `sys.ID` in it are raw ids, from 1 to 65535."""
        raise NotImplementedError

    def patch(self, request: Request, table: str, record: int, changes: Mapping[str, Any]) -> CommandAnswer:
        """Change fields of a record; `sys.IsActive` activates or deactivates it."""
        raise NotImplementedError

    def deactivate(self, request: Request, table: str, record: int) -> CommandAnswer:
        """Take a record out of use; it stays readable."""
        raise NotImplementedError

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
        raise NotImplementedError

    def roles(self, request: Request) -> frozenset[str]:
        """Return the roles that the principal has in the workspace, inherited ones too."""
        raise NotImplementedError

    def run_job(self, app: str, job: str, workspace: int = 1) -> None:
        """Run a job now, beside its schedule; raise `ConflictError` if it is running."""
        raise NotImplementedError

    def lags(self, app: str | None = None) -> tuple[Lag, ...]:
        """Return how far each asynchronous projector is behind, in each partition."""
        raise NotImplementedError

    def jobs(self, app: str | None = None) -> tuple[JobStatus, ...]:
        """Return every job of every app workspace."""
        raise NotImplementedError

    def wait_for_projectors(self, app: str | None = None, *, timeout: float = 10.0) -> bool:
        """Return whether all projectors have seen all events logged so far, within *timeout* seconds."""
        raise NotImplementedError

    def tick(self) -> None:
        """Look at the clock now: what is due is begun. For tests that turn the clock themselves."""
        raise NotImplementedError

    def close(self) -> None:
        """Take no further request, let what is under way end, end all threads; a second time does nothing."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
