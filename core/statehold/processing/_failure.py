from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Failure:
    """An error as HTTP says it: what is safe to tell the caller.

    Attributes:
        status: the HTTP status.
        message: for people.
        qname: what it is about, if it is about one thing.
        data: for programs.
        retry_after: seconds after which to try again, where that may help.

    """

    status: int
    message: str
    qname: str = ""
    data: Mapping[str, Any] = attrs.field(factory=dict)
    retry_after: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        body: dict[str, Any] = {"message": self.message, "status": self.status}
        if self.qname:
            body["qname"] = self.qname
        if self.data:
            body["data"] = dict(self.data)
        return body


def failure(error: BaseException) -> Failure:
    """Return how HTTP says *error*; of one that is nobody's intention, no more than that it happened."""
    raise NotImplementedError
