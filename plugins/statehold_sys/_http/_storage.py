from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import attrs

from statehold.sdk import FreedError, Key, StorageContext, StorageError, Value
from statehold_sys._http._request import Request
from statehold_sys._network import AddressPolicy, Deadline
from statehold_sys.http import HttpConfig

if TYPE_CHECKING:
    from statehold_sys._http._client import Client


@attrs.define(eq=False, kw_only=True)
class Http:
    """Makes one request per READ, and yields one row.

    Attributes:
        name: the storage's qualified name.

    """

    name: Final[str]
    _config: HttpConfig
    _policy: AddressPolicy
    _key_class: type[Key]
    _value: Callable[..., Value]
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _client: Client | None = attrs.field(default=None, init=False)
    _freed: bool = attrs.field(default=False, init=False)

    @classmethod
    def open(cls, ctx: StorageContext) -> Http:
        """Return a storage that has connected to nothing yet."""
        return cls(
            name=ctx.storage,
            config=ctx.config or HttpConfig(),
            policy=AddressPolicy.of(ctx.storage, ctx.allowances),
            key_class=ctx.key_class,
            value=ctx.value,
        )

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Make the request that *key* describes when the row is asked for; any status is a row.

        A failure to get a response raises StorageError, or with HandleErrors is a row too.
        """
        request = Request.of(self.name, key, self._key_class)
        return self._answer(request)

    def free(self) -> None:
        """Close all connections."""
        with self._lock:
            self._freed = True
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _answer(self, request: Request) -> Iterator[tuple[Key, Value]]:
        deadline = Deadline(request.timeout)
        try:
            status, headers, body = self._open_client().send(request, deadline)
            row = self._value(StatusCode=status, Body=body, Header=headers)
        except StorageError as error:
            if not request.handle_errors:
                raise
            text = error.message
            row = self._value(StatusCode=0, Body=text.encode(), Error=text)
        yield request.key, row

    def _open_client(self) -> Client:
        client = self._client
        if client is None:
            with self._lock:
                if self._freed:
                    raise FreedError(f"{self.name} was used after it had been freed")
                if self._client is None:
                    from statehold_sys._http._client import Client  # noqa: PLC0415 - brings httpx

                    self._client = Client.open(self.name, self._policy, self._config)
                client = self._client
        return client
