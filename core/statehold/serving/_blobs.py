from __future__ import annotations

import asyncio
import secrets
from typing import Final

import attrs
import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from statehold.hosting import App
from statehold.processing import CommandAnswer, ProcessingError, Request, RequestError, UnknownError
from statehold.rows import Change, Put, RowStore
from statehold.sdk import HostError
from statehold.serving._answers import json_response
from statehold.serving._bodies import pieces
from statehold.serving._desk import Desk, header
from statehold.serving._orphans import BlobNote, BlobRows, Orphans, blob_rows
from statehold.serving._paths import WORKSPACE, number
from statehold.serving._routes import route
from statehold.serving._stream import Stream, StreamResponse
from statehold_vsql import DataType
from statehold_vsql.appdef import QName

_CHUNK: Final = 262_144
#: Ids are read as JSON by whatever reads them: no more bits than a double has.
_ID_BITS: Final = 52


class _Head(msgspec.Struct, frozen=True):
    """What the first row of a blob says of it."""

    type: str
    size: int


#: Made here: two threads that are the first to read a type bring msgspec, and the process, to an end.
_head: Final = msgspec.msgpack.Decoder(_Head).decode


@attrs.frozen(kw_only=True)
class _Place:
    """A field of type blob in a record."""

    request: Request
    table: str
    record: int
    field: str


class Blobs:
    """Stores and reads the contents of fields of type blob.

    The record's field holds the blob's id, and its rights are those of the field. Contents are rows of the
    app's store: first what they are, then pieces of them. Whoever writes lays them down first, then sets
    the field by an ordinary change of the record, and takes away what it referred to before. What a server
    leaves behind that ends meanwhile, the next one takes away.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._orphans = Orphans(desk.log)
        self.close = desk.host.listen(self._sweep)
        for app in desk.host.running:
            self._sweep(app)

    def routes(self) -> list[Route]:
        """Return the route of blobs."""
        return [route(f"{WORKSPACE}/docs/{{name}}/{{record}}/blobs/{{field}}", GET=self.read, PUT=self.write)]

    async def read(self, http: HttpRequest) -> Response:
        """Answer with the contents of a field."""
        place = self._place(http)
        submit = self._desk.queries.submit
        blob = await submit(lambda: self._id(place))
        store = self._store(place)
        text = (
            await submit(lambda: store.get(blob_rows(place.request.workspace, blob), (0,))) if blob else None
        )
        if text is None:
            raise UnknownError(
                f"{place.table} {place.record} has no blob in {place.field}", qname=place.table
            )
        head = _head(text)
        stream = Stream(asyncio.get_running_loop())
        self._desk.queries.run(lambda: _read(store, blob_rows(place.request.workspace, blob), stream))
        headers = (
            (b"content-type", head.type.encode("latin-1", "replace")),
            (b"content-length", b"%d" % head.size),
            # Whoever wrote it said what it is: no browser is to run it here.
            (b"content-disposition", b"attachment"),
            (b"x-content-type-options", b"nosniff"),
        )
        return StreamResponse(stream, headers)

    async def write(self, http: HttpRequest) -> Response:
        """Store the body as the contents of a field."""
        place = self._place(http)
        submit = self._desk.commands.submit
        before = await submit(lambda: self._id(place))
        store, blob = self._store(place), secrets.randbits(_ID_BITS) | 1
        workspace = place.request.workspace
        note = BlobNote(place.table, place.record, place.field, before)
        batch: list[Change] = [self._orphans.begin(workspace, blob, note)]
        rows = blob_rows(workspace, blob)
        size = count = 0
        chunk = bytearray()
        try:
            try:
                async for piece in pieces(http.scope, http.receive, most=self._desk.limits.blob):
                    chunk += piece
                    size += len(piece)
                    if len(chunk) >= _CHUNK:
                        count += 1
                        await submit(store.write, [*batch, Put(rows, (count,), bytes(chunk))])
                        batch.clear()
                        chunk.clear()
                kind = header(http.scope, b"content-type") or b"application/octet-stream"
                head = msgspec.msgpack.encode(_Head(kind.decode("latin-1")[:200], size))
                last = Put(rows, (count + 1,), bytes(chunk)), Put(rows, (0,), head)
                await submit(store.write, [*batch, *last])
            except BaseException:
                self._desk.commands.run(lambda: self._orphans.settle(store, workspace, blob, blob))
                raise
            answer = await self._set(place, blob, store)
            await submit(self._orphans.settle, store, workspace, blob, before)
        finally:
            self._orphans.end(blob)
        return json_response({**answer.to_json(), "blobID": blob, "size": size})

    async def _set(self, place: _Place, blob: int, store: RowStore) -> CommandAnswer:
        runtime = self._desk.runtime
        try:
            answer: CommandAnswer = await self._desk.commands.submit(
                lambda: runtime.patch(place.request, place.table, place.record, {place.field: blob})
            )
        except ProcessingError as error:
            # Where nobody knows whether the field was set, the contents have to stay.
            if error.status < 500:
                workspace = place.request.workspace
                self._desk.commands.run(lambda: self._orphans.settle(store, workspace, blob, blob))
            raise
        return answer

    def _sweep(self, app: App) -> None:
        self._desk.commands.run(lambda: self._orphans.sweep(app))

    def _place(self, http: HttpRequest) -> _Place:
        given = http.path_params
        app = f"{given['owner']}.{given['app']}"
        workspace = number(given["wsid"], "the workspace")
        return _Place(
            request=self._desk.request(http.scope, app, workspace),
            table=given["name"],
            record=number(given["record"], "the record"),
            field=given["field"],
        )

    def _id(self, place: _Place) -> int:
        """Return the id of the blob that a field holds now, 0 for none, as far as the field may be read."""
        runtime = self._desk.runtime
        found = runtime.document(
            place.request, place.table, place.record, constraints={"keys": f'"{place.field}"'}
        )
        package, _, name = place.table.partition(".")
        app = self._desk.host.app(place.request.app)
        version = app.current_of(place.request.workspace % len(app.data.partitions))
        table = version.appdef.tables.get(QName(package, name))
        fields = () if table is None else table.fields
        if not any(one.name == place.field and one.field.type is DataType.BLOB for one in fields):
            raise RequestError(f"{place.table} has no field {place.field!r} of type blob", qname=place.table)
        return int(found.get(place.field) or 0)

    def _store(self, place: _Place) -> RowStore:
        try:
            return self._desk.host.app(place.request.app).data.store
        except HostError as error:
            raise UnknownError(error.message, qname=place.request.app) from error


def _read(store: RowStore, rows: BlobRows, stream: Stream) -> None:
    try:
        for row in store.read(rows, (1,)):
            stream.push(row.value)
    except BaseException:
        # The answer says how long it is: cut off, it is not taken for the whole.
        stream.leave()
        raise
    stream.end(b"")
