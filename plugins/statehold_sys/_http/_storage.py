from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import attrs

from statehold.sdk import Key, StorageContext, StorageError, Value
from statehold_sys._http._config import HttpConfig
from statehold_sys._http._request import Request
from statehold_sys._network import AddressPolicy, Deadline
from statehold_sys._web import LazyClient

_REDIRECTS: Final = 10


@attrs.frozen(eq=False, kw_only=True)
class Http:
    """Makes one request per READ, and yields one row."""

    _client: LazyClient
    _key_class: type[Key]
    _value: Callable[..., Value]

    @classmethod
    def open(cls, ctx: StorageContext) -> Http:
        """Return a storage that has connected to nothing yet."""
        config: HttpConfig = ctx.config or HttpConfig()
        client = LazyClient(
            name=ctx.storage,
            policy=AddressPolicy.of(ctx.storage, ctx.allowances),
            max_body=config.MaxBodyBytes,
            ca_file=config.CaFile,
            redirects=_REDIRECTS,
        )
        return cls(client=client, key_class=ctx.key_class, value=ctx.value)

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Make the request that *key* describes when the row is asked for; any status is a row.

        A failure to get a response raises StorageError, or with HandleErrors is a row too.
        """
        request = Request.of(self._client.name, key, self._key_class)
        return self._answer(request)

    def free(self) -> None:
        """Close all connections."""
        self._client.close()

    def _answer(self, request: Request) -> Iterator[tuple[Key, Value]]:
        deadline = Deadline(request.timeout)
        try:
            with self._client.send(
                request.method, request.url, headers=request.headers, body=request.body, deadline=deadline
            ) as answer:
                row = self._value(StatusCode=answer.status, Body=answer.body(), Header=answer.headers())
        except StorageError as error:
            if not request.handle_errors:
                raise
            text = error.message
            row = self._value(StatusCode=0, Body=text.encode(), Error=text)
        yield request.key, row
