from __future__ import annotations

from statehold.sdk import Key, StateholdError


class StateError(StateholdError):
    """An extension asked its state for something that cannot be given.

    `state` names whose state it is, `storage` and `entity` what was asked, `key` the row meant, if any.
    """

    def __init__(
        self,
        message: str,
        *,
        state: str,
        storage: str,
        entity: str | None = None,
        key: Key | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(f"{state}: {message}", hint=hint)
        self.state = state
        self.storage = storage
        self.entity = entity
        self.key = key


class UnknownStorageError(StateError):
    """The extension names a storage, or an entity of one, that its STATE and INTENTS do not."""


class ExistsError(StateError):
    """A row that must not exist does."""


class NotExistsError(StateError):
    """A row that must exist does not."""


class IntentLimitError(StateError):
    """The extension asked for more changes in one call than the host applies."""
