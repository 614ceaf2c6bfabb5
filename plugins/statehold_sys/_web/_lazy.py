from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import attrs

from statehold.sdk import FreedError
from statehold_sys._network import AddressPolicy, Deadline

if TYPE_CHECKING:
    from statehold_sys._web._client import Answer, Client, Headers


@attrs.define(eq=False, kw_only=True)
class LazyClient:
    """A client that is made when the first request is: most versions are deployed without one.

    Attributes:
        name: whose client it is, for messages.

    """

    name: str
    _policy: AddressPolicy
    _max_body: int
    _ca_file: str | None
    _redirects: int
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _client: Client | None = attrs.field(default=None, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def send(
        self, method: str, url: str, *, headers: Headers = (), body: bytes = b"", deadline: Deadline
    ) -> AbstractContextManager[Answer]:
        """Send a request; the block has the answer, its body still on the way.

        Raises:
            StorageError: there is no answer, or the CaFile cannot be read.
            FreedError: the client has been closed.

        """
        client = self._client or self._open()
        return client.send(method, url, headers=headers, body=body, deadline=deadline)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open(self) -> Client:
        with self._lock:
            if self._closed:
                raise FreedError(f"{self.name} was used after it had been freed")
            if self._client is None:
                from statehold_sys._web._client import Client  # noqa: PLC0415 - brings httpx

                self._client = Client.open(
                    self.name,
                    self._policy,
                    max_body=self._max_body,
                    ca_file=self._ca_file,
                    redirects=self._redirects,
                )
            return self._client
