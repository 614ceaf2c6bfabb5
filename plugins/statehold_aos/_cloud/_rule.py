from __future__ import annotations

import re
from typing import Any

import attrs

from statehold_aos.gateway import GatewayError, NewState


def _pattern(text: str) -> re.Pattern[bytes] | None:
    if not text:
        return None
    try:
        return re.compile(text.encode(), re.DOTALL)
    except re.error as error:
        raise GatewayError(f"the pattern {text!r} cannot be read: {error}") from error


@attrs.frozen
class Rule:
    """Which new states are rejected; without anything, none.

    Attributes:
        pattern: those in which this regular expression is found.
        largest: those that have more bytes.

    Raises:
        GatewayError: the expression is none.

    """

    pattern: str = ""
    largest: int | None = None
    _compiled: re.Pattern[bytes] | None = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_compiled", _pattern(self.pattern))

    def __call__(self, message: NewState) -> str:
        """Say why a state is rejected; nothing where it is not."""
        if self.largest is not None and len(message.state) > self.largest:
            return f"it has {len(message.state):,} bytes, {self.largest:,} are accepted"
        if self._compiled is not None and self._compiled.search(message.state):
            return f"it matches {self.pattern}"
        return ""

    def document(self) -> dict[str, Any]:
        """Return the rule as JSON has it."""
        return {"reject": self.pattern, "larger_than": self.largest}
