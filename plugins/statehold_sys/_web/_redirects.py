from __future__ import annotations

from typing import Final

import httpx

# What says nothing about who asks, and what the client itself writes for each request.
_HARMLESS: Final = frozenset(
    {"accept", "accept-charset", "accept-encoding", "accept-language", "content-type", "user-agent"}
    | {"connection", "content-length", "host", "transfer-encoding"}
)
_PORTS: Final = {"http": 80, "https": 443}


def without_strangers(before: httpx.Request, after: httpx.Request) -> httpx.Request:
    """Return *after*, the request that a redirect of *before* asks for, as another server may see it.

    Where the redirect leaves scheme, host or port, headers that may be credentials stay behind. From
    http to https of the same host, on their usual ports, nothing is left.
    """
    here, there = _origin(before.url), _origin(after.url)
    upgraded = here == ("http", there[1], 80) and there == ("https", there[1], 443)
    if here != there and not upgraded:
        kept = [(name, value) for name, value in after.headers.raw if name.decode().lower() in _HARMLESS]
        after.headers = httpx.Headers(kept)
    return after


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme)
