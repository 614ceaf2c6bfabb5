from __future__ import annotations

from typing import Final

import msgspec

from statehold.serving._errors import HttpError

BASE: Final = "/api/v2/apps"
APP: Final = BASE + "/{owner}/{app}"
WORKSPACE: Final = BASE + "/{owner}/{app}/workspaces/{wsid}"
_REMEMBERED = 10_000
#: One more than the largest workspace or record: both are 64 bits with a sign.
_END = 1 << 63


class Call(msgspec.Struct, frozen=True):
    """The address of a command or query: what it is, of which app, in which workspace."""

    command: bool
    app: str
    workspace: int
    name: str

    @property
    def method(self) -> str:
        """The HTTP method by which it is called."""
        return "POST" if self.command else "GET"


class Calls:
    """Recognises the paths of commands and queries, which most requests are about."""

    def __init__(self) -> None:
        self._known: dict[str, Call] = {}

    def find(self, path: str) -> Call | None:
        """Return what *path* calls; None where it is the path of something else.

        Raises:
            HttpError: its workspace is no number.

        """
        found = self._known.get(path)
        if found is not None:
            return found
        match path.split("/"):
            case [
                "",
                "api",
                "v2",
                "apps",
                owner,
                app,
                "workspaces",
                wsid,
                ("commands" | "queries") as kind,
                name,
            ]:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                found = Call(kind == "commands", f"{owner}.{app}", number(wsid, "the workspace"), name)
                self._known[path] = found
        return found


def number(text: str, what: str) -> int:
    """Return the workspace or record that a part of a path names.

    Raises:
        HttpError: it is no number of 64 bits.

    """
    if text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _END:
        return int(text)
    raise HttpError(404, f"{what} in the path: expected a number below 2^63, got {text[:40]!r}")
