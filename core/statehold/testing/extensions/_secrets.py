from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from statehold.sdk import Key, StorageContext, Value


class SecretsMock:
    """Stands for `sys.AppSecret`: hands out what the test has set, in every workspace."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.secrets = dict(secrets)

    def open(self, ctx: StorageContext) -> _AppSecret:
        """Return the storage that hands them out."""
        return _AppSecret(self.secrets, ctx.value)


class _AppSecret:
    def __init__(self, secrets: Mapping[str, str], value: Callable[..., Value]) -> None:
        self._secrets = secrets
        self._value = value

    def get(self, key: Key) -> Value | None:
        """Return the secret, or None."""
        asked: Any = key
        secret = self._secrets.get(asked.Secret)
        return None if secret is None else self._value(Content=secret)

    def free(self) -> None:
        """Do nothing: there is nothing to give back."""
