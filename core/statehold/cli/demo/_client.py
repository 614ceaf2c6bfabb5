from __future__ import annotations

import http.client
import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit


class Client:
    """Asks the server of one app over HTTP, with the token of one person; one thread at a time may use it.

    Args:
        name: the person's name.
        url: where the server is, `http://127.0.0.1:8080`.
        app: `owner.app`.
        token: the person's bearer token.

    """

    def __init__(self, name: str, *, url: str, app: str, token: str) -> None:
        self.name = name
        self._place = url, app, token
        place = urlsplit(url)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
        self._base = f"/api/v2/apps/{app.replace('.', '/', 1)}"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def again(self) -> Client:
        """Return another connection of the same person, for another thread."""
        url, app, token = self._place
        return Client(self.name, url=url, app=app, token=token)

    def ask(
        self, method: str, path: str, body: object = None, **parameters: object
    ) -> tuple[int, dict[str, Any]]:
        """Send a request and return status and document of the answer; *parameters* go as JSON."""
        query = "&".join(f"{name}={quote(json.dumps(value))}" for name, value in parameters.items())
        data = None if body is None else json.dumps(body).encode()
        url = f"{self._base}/{path}?{query}" if query else f"{self._base}/{path}"
        self._connection.request(method, url, data, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
