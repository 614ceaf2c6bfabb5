from __future__ import annotations

from statehold.sdk import StateholdError


class OutageError(StateholdError):
    """A storage could not answer, because of the process or the module that it lives in.

    Attributes:
        status: how HTTP says it.
        public: what a caller may know of it, who is not to read what a plugin has printed; empty where
            that is no more than that it failed.
        retry_after: seconds after which to try again, where that may help.
        unknown: whether a change may have been made all the same.

    """

    status: int = 500
    public: str = ""
    retry_after: float | None = None
    unknown: bool = False
