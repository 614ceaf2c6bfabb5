from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, final

import attrs

from statehold.events import Event
from statehold.testing.extensions._changes import Change, difference

_OK = 200

E = TypeVar("E", bound=Event | None)

__tracebackhide__ = True  # of a test that fails, pytest shows the test's own lines


@final
@attrs.frozen(kw_only=True, eq=False)
class Run(Generic[E]):
    """What became of one call of an extension; nothing of it has been applied yet.

    Attributes:
        who: `COMMAND bills.PayBill`.
        changes: what it asks for, storage by storage; each storage's in the order in which it asked. Results,
            the answer and the log are not among them.
        results: what a command or query returned, as dicts without what is NULL.
        status: the status of the answer.
        message: what the answer says beside.
        log: level (`error`, `warning`, `info`, `debug`) and text of what it wrote by `sys.Logger`.

    """

    who: str
    changes: Sequence[Change]
    results: Sequence[Any]
    status: int
    message: str
    log: Sequence[tuple[str, str]]
    _commit: Callable[[], E] = attrs.field(repr=False)

    @property
    def result(self) -> Any:
        """The one result, None for none; an AssertionError if there are several."""
        if len(self.results) > 1:
            raise AssertionError(
                f"{self.who} has {len(self.results)} results, and one was expected: {self.results!r}"
            )
        return self.results[0] if self.results else None

    def expect(self, *changes: Change) -> None:
        """Raise AssertionError unless the extension asks for exactly these changes, in whatever order.

        The error says what is missing, what it asks for instead, and in which fields that differs.
        """
        problem = difference(self.who, changes, self.changes)
        if problem:
            raise AssertionError(problem)

    def commit(self) -> E:
        """Apply what it asks for, so that the next call sees it; return the event of a command.

        Raises:
            AssertionError: it answered with another status than 200, and then nothing is applied; or it has
                been applied, or what it read was changed since by the commit of another command.

        """
        if self.status != _OK:
            raise AssertionError(
                f"{self.who} answered {self.status} ({self.message}): a host applies nothing then"
            )
        return self._commit()


def as_dict(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that are set."""
    return {name: value for name, value in fields.items() if value is not None and value != ()}
