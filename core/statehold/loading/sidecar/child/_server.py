from __future__ import annotations

import logging
import os
import socket
import struct
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import msgspec

from statehold.loading._size import MOST_VALUES, has_too_many
from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._failures import told
from statehold.loading.sidecar._objects import Objects
from statehold.loading.sidecar.child._logs import LogLane
from statehold.loading.sidecar.child._opened import Opened, config_of, open_storage
from statehold.loading.sidecar.child._plugin import Plugin, load
from statehold.loading.sidecar.child._resting import Resting
from statehold.sdk import FreedError, StorageError

if TYPE_CHECKING:
    from statehold.loading.sidecar.child._image import Image

_HEADER: Final = struct.Struct(k.HEADER)
_length: Final = _HEADER.unpack_from
_header: Final = _HEADER.pack
_GET: Final = k.GET
_OK: Final = k.OK
_READ: Final = 16 * 1024
_FIRST_ROWS: Final = 16
_encode: Final = msgspec.msgpack.Encoder().encode


class Server:
    """Answers what the host asks on any lane, one question after the other on each."""

    def __init__(
        self, job: dict[str, Any], control: socket.socket, log: socket.socket, image: Image | None = None
    ) -> None:
        self._job = job
        self._resting = Resting(control, image)
        self._control = control
        self._log = log
        self._objects = Objects()
        self._plugin: Plugin | None = None
        self._opened: dict[int, Opened] = {}
        self._answers: dict[int, Callable[..., Any]] = {
            k.HELLO: self._hello,
            k.DESCRIBE: self._describe,
            k.CHECK_CONFIG: self._check_config,
            k.PING: lambda *_: None,
            k.FREE: self._free,
            k.PROBE: self._probe,
            k.GETBATCH: _get_batch,
            k.VALIDATE: _validate,
            k.APPLY: _apply,
            k.TO_INSERT: _to_insert,
            k.TO_UPDATE: _to_update,
        }

    def run(self) -> None:
        """Serve until the control lane is closed, or the host says so."""
        logging.getLogger().addHandler(LogLane(self._log, 0))
        self._serve(self._control, control=True)
        if self._plugin is not None:
            self._plugin.free()

    def _serve(self, lane: socket.socket, *, control: bool = False) -> None:
        decode, opened, descriptor = self._objects.decode, self._opened, lane.fileno()
        resting = self._resting
        fds: list[int] = []
        after = b""
        with suppress(OSError), closing(lane), resting.lane() as rests:
            while True:
                rests[0] = True
                if control and not after:
                    resting.until_asked()
                data = after or (_take_fds(lane, fds) if control else os.read(descriptor, _READ))
                rests[0] = False
                if resting.busy:
                    resting.wait()
                if not data:
                    return
                after = b""
                if len(data) < 4 or _length(data)[0] + 4 != len(data):
                    data, after = _split(lane, data)
                question = decode(data[4:])
                if len(question) == 2:
                    continue  # of a READ that had ended already
                kind, number, handle, schema, call, argument = question
                try:
                    if kind == _GET and call is None:
                        storage = opened[handle]
                        codec = storage.codecs[schema]
                        value = storage.impl.get(codec.to_key(argument))
                        frame = _encode((_OK, number, None if value is None else codec.value(value)))
                    elif kind == k.STOP:
                        _say(lane, (k.OK, number, None))
                        return
                    elif kind == k.LANE:
                        threading.Thread(
                            target=self._serve, args=(socket.socket(fileno=fds.pop()),), daemon=True
                        ).start()
                        frame = _encode((k.OK, number, None))
                    else:
                        frame = self._answer(lane, kind, number, handle, schema, call, argument)
                    _check_size("an answer", frame)
                except BaseException as error:  # noqa: BLE001 - the plugin's, told to whom asked
                    frame = _encode((k.ERROR, number, told(error, trace=traceback.format_exc())))
                frame = _header(len(frame)) + frame
                # Not by the socket: a filter of system calls has less to look at.
                sent = os.write(descriptor, frame)
                if sent < len(frame):
                    lane.sendall(memoryview(frame)[sent:])

    def _answer(  # noqa: PLR0917 - on the way of every call
        self, lane: socket.socket, kind: int, number: int, handle: int, schema: int, call: Any, argument: Any
    ) -> bytes:
        if kind == k.OPEN:
            return _encode((k.OK, number, self._open(lane, number, handle, argument)))
        if kind == k.RESUME:
            self._opened[handle].resume(argument, partial(self._ask, lane, number))
            return _encode((k.OK, number, None))
        answer = self._answers.get(kind)
        if kind < k.GET:
            if answer is None:
                raise ValueError(f"unknown question {kind}")
            return _encode((k.OK, number, answer(handle, argument)))
        storage = self._opened.get(handle)
        if storage is None:
            raise FreedError(f"no storage is open under {handle}")
        seen, effects = (storage.impl, None) if call is None else storage.bound(call)
        codec = storage.codecs[schema]
        if kind == k.READ:
            _read(lane, number, codec, seen, argument)
            result = None
        elif kind == k.GET:
            value = seen.get(codec.to_key(argument))
            result = None if value is None else codec.value(value)
        elif answer is None:
            raise ValueError(f"unknown question {kind}")
        else:
            result = answer(codec, seen, argument)
        if not effects:
            return _encode((k.OK, number, result))
        told_now, effects[:] = list(effects), []
        return _encode((k.OK, number, result, told_now))

    # -- What is asked of the process -------------------------------------------------------------------

    def _hello(self, _: int, offer: dict[str, Any]) -> dict[str, Any]:
        common = set(offer["versions"]) & set(k.VERSIONS)
        if not common:
            offered, own = (", ".join(map(str, each)) for each in (offer["versions"], k.VERSIONS))
            raise ValueError(f"the host speaks {offered}, this sidecar speaks {own}")
        return {"version": max(common), "features": [k.LANES]}

    def _describe(self, _: int, __: Any) -> Mapping[str, Any]:
        self._plugin = load(self._job)
        return self._plugin.description

    def _check_config(self, _: int, argument: list[Any]) -> None:
        name, config = argument
        config_of(self._loaded.providers[name], config)

    def _open(self, lane: socket.socket, number: int, handle: int, given: dict[str, Any]) -> Any:
        opened = open_storage(
            self._loaded.providers[given["provider"]],
            given,
            handle=handle,
            log=self._log,
            objects=self._objects,
            others=lambda at: self._opened[at],
            ask=partial(self._ask, lane, number),
        )
        self._opened[handle] = opened
        self._resting.stir()
        return opened.answer

    def _ask(self, lane: socket.socket, number: int, kind: int, argument: Any) -> Any:
        _say(lane, (kind, number, argument))
        answered, _, result = self._objects.decode(_rest(lane, b"")[4:])
        if answered != k.OK:
            raise StorageError(f"the storage of the version before could not answer: {result}")
        return result

    def _free(self, handle: int, timeout: float) -> list[str]:
        return self._opened.pop(handle).free(timeout)

    def _probe(self, handle: int, _: Any) -> None:
        self._opened[handle].impl.probe()

    @property
    def _loaded(self) -> Plugin:
        if self._plugin is None:
            raise ValueError("DESCRIBE comes first")
        return self._plugin


def _get_batch(codec: Any, storage: Any, keys: Any) -> Any:
    to_key, value = codec.to_key, codec.value
    found = storage.get_batch([to_key(key) for key in keys])
    return [None if one is None else value(one) for one in found]


def _validate(codec: Any, storage: Any, items: Any) -> None:
    storage.validate(codec.to_intents(items))


def _apply(codec: Any, storage: Any, items: Any) -> None:
    storage.apply_batch(codec.to_intents(items))


def _to_insert(codec: Any, storage: Any, argument: Any) -> Any:
    key, value = argument
    return codec.value(storage.value_to_insert(codec.to_key(key), codec.to_value(value)))


def _to_update(codec: Any, storage: Any, argument: Any) -> Any:
    key, existing, changes = argument
    found = storage.value_to_update(codec.to_key(key), codec.to_value(existing), codec.to_changes(changes))
    return codec.value(found)


def _read(lane: socket.socket, number: int, codec: Any, storage: Any, argument: Any) -> None:
    """Send the rows in chunks, as many as the host has given credit for."""
    credit, most, size = k.CREDIT, _FIRST_ROWS, 0
    chunk: list[msgspec.Raw] = []
    begun = monotonic()
    rows = iter(storage.read(codec.to_key(argument)) if argument else storage.rows())
    try:
        for key, value in rows:
            row = _encode((codec.key(key), codec.value(value)))
            if chunk and size + len(row) > k.CHUNK_BYTES:
                most = len(chunk)
            if len(chunk) >= most or monotonic() - begun > k.CHUNK_SECONDS:
                if chunk:
                    credit += _credit(lane, wait=not credit)
                    if credit < 0:
                        return
                    _say(lane, (k.ROWS, number, chunk))
                    credit -= 1
                most, chunk, size, begun = min(most * 4, k.CHUNK_ROWS), [], 0, monotonic()
            chunk.append(msgspec.Raw(row))
            size += len(row)
        if chunk and (credit or _credit(lane, wait=True) > 0):
            _say(lane, (k.ROWS, number, chunk))
    finally:
        if hasattr(rows, "close"):
            rows.close()


_CANCELLED: Final = -(1 << 30)


def _credit(lane: socket.socket, *, wait: bool) -> int:
    """Return how many further chunks the host wants, far below 0 if none at all."""
    gained = 0
    while True:
        try:
            if not (wait and not gained) and not lane.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                raise ConnectionResetError
        except BlockingIOError:
            return gained
        kind, *_ = msgspec.msgpack.decode(_rest(lane, b"")[4:])
        if kind == k.CANCEL:
            return _CANCELLED
        gained += 1


def _take_fds(lane: socket.socket, fds: list[int]) -> bytes:
    data, more, *_ = socket.recv_fds(lane, _READ, 4, socket.MSG_CMSG_CLOEXEC)
    fds += more
    return data


def _split(lane: socket.socket, data: bytes) -> tuple[bytes, bytes]:
    """Return the whole first frame of *data*, and what follows it."""
    data = _rest(lane, data)
    end = _HEADER.unpack_from(data)[0] + 4
    return data[:end], data[end:]


def _rest(lane: socket.socket, data: bytes) -> bytes:
    """Return *data*, and what is missing at the end of its first frame."""
    parts, size, length = [data], len(data), 0
    while True:
        if not length and size >= 4:
            parts = [b"".join(parts)]
            length = _HEADER.unpack_from(parts[0])[0] + 4
        if length and size >= length:
            return b"".join(parts)
        more = lane.recv(min(length - size, 1 << 20) if length else 4 - size)
        if not more:
            raise ConnectionResetError
        parts.append(more)
        size += len(more)


def _check_size(what: str, body: bytes) -> None:
    if len(body) > k.MAX_FRAME:
        raise StorageError(f"{what} of {len(body)} bytes, {k.MAX_FRAME} can be sent at most")
    if has_too_many(body):
        raise StorageError(f"{what} of more than {MOST_VALUES} values, which cannot be sent")


def _say(lane: socket.socket, message: object) -> None:
    body = _encode(message)
    _check_size("a row", body)
    lane.sendall(_HEADER.pack(len(body)) + body)
