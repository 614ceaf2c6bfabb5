from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from statehold.sdk import UNSET, FederationHost, Key, StorageContext, StorageError
from statehold_sys._federation._codes import expected_codes
from statehold_sys._federation._config import FederationConfig
from statehold_sys._federation._json import json_object
from statehold_sys._network import AddressPolicy, Deadline
from statehold_sys._web import LazyClient

if TYPE_CHECKING:
    from statehold_sys._web._client import Answer

# What stands in a path without being quoted, and means nothing there.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,254}\Z")
_TOKEN: Final = re.compile(r"[\x21-\x7e]+\Z")
_SHOWN: Final = 300


@attrs.frozen(eq=False, kw_only=True)
class Caller:
    """Calls the API of another application, or of this one, as the fields of a key say.

    Attributes:
        name: the storage's qualified name.

    """

    name: str
    _app: str
    _host: FederationHost | None
    _client: LazyClient
    _timeout: float

    @classmethod
    def of(cls, ctx: StorageContext) -> Caller:
        """Return a caller that has connected to nothing yet."""
        config: FederationConfig = ctx.config or FederationConfig()
        return cls(
            name=ctx.storage,
            app=ctx.app,
            host=ctx.host,
            client=LazyClient(
                name=ctx.storage,
                policy=AddressPolicy.of(ctx.storage, ctx.allowances),
                max_body=config.MaxBodyBytes,
                ca_file=config.CaFile,
                # A redirect would take the token along, or lose it: no application answers so.
                redirects=0,
            ),
            timeout=config.TimeoutMilliseconds / 1000,
        )

    @contextmanager
    def call(self, method: str, path: str, key: Key, *, body: bytes = b"") -> Iterator[Answer]:
        """Send a request to *path* below the workspace of *key*; the block has an answer as expected.

        Raises:
            StorageError: the key is wrong, there is no answer, or its status is another. No token is shown.

        """
        owner, app = self._target(key)
        expected = expected_codes(self.name, text(key, "ExpectedCodes"))
        host = self._host
        if host is None:
            raise StorageError(
                f"{self.name}: this host does not know where {owner}.{app} is",
                hint="Serve the application, or open the storage with a FederationHost",
            )
        token = text(key, "Token") or host.system_token(owner, app)
        if not _TOKEN.match(token):
            raise StorageError(f"{self.name}: the Token has characters that no token has")
        path = f"/api/v2/apps/{owner}/{app}/workspaces/{key.WSID}/{path}"
        headers = [(b"Authorization", b"Bearer " + token.encode()), (b"Content-Type", b"application/json")]
        with self._client.send(
            method,
            host.base_url(owner, app) + path,
            headers=headers if body else headers[:1],
            body=body,
            deadline=Deadline(self._timeout),
        ) as answer:
            if answer.status not in expected:
                wanted = ", ".join(map(str, expected))
                why = _why(answer.body(), token)
                raise StorageError(
                    f"{self.name}: {method} {path}: expected status {wanted}, got {answer.status}{why}",
                    hint="Name other statuses that are fine in ExpectedCodes",
                )
            yield answer

    def free(self) -> None:
        """Close all connections."""
        self._client.close()

    def _target(self, key: Key) -> tuple[str, str]:
        owner, _, app = self._app.partition(".")
        return self.named(text(key, "Owner") or owner, "Owner"), self.named(
            text(key, "AppName") or app, "AppName"
        )

    def named(self, name: str, field: str) -> str:
        """Return *name*, which becomes a part of the path; StorageError if it would change the path."""
        if _NAME.match(name):
            return name
        raise StorageError(
            f"{self.name}: expected {field} as a name of up to 255 letters, digits, _ and -, got {name!r:.80}"
        )


def text(key: Key, field: str) -> str:
    """Return a text field of a key, empty where it is not given."""
    found = key[field]
    return "" if found is None or found is UNSET else str(found)


def _why(body: bytes, token: str) -> str:
    # What the API says of an error stands in `message`; a proxy in between may say anything.
    said = (json_object(body) or {}).get("message")
    found = said if isinstance(said, str) else body.decode(errors="replace")
    found = " ".join(found.split()).replace(token, "***")
    return f": {found if len(found) <= _SHOWN else found[:_SHOWN] + '...'}" if found else ""
