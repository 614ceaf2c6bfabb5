"""Storage `AppSecret`: GET reads a secret that the package declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from statehold.sdk import Field, Key, Operation, Provider, Scope, Secret, StorageContext, StorageError, Value


@attrs.frozen(eq=False)
class AppSecret:
    """Hands out the secrets that the package itself declares; any other name is not found."""

    _name: str
    _secrets: Mapping[str, Secret] = attrs.field(repr=False)
    _value: Any = attrs.field(repr=False)

    def get(self, key: Key) -> Value | None:
        """Return the secret as `Content`; None for an undeclared name, StorageError for a blank one."""
        name = key["Secret"]
        if not isinstance(name, str) or not name.strip():
            raise StorageError(
                f"{self._name}: the key's Secret is blank", hint="Give the name of a declared SECRET"
            )
        secret = self._secrets.get(name)
        return None if secret is None else self._value(Content=secret.reveal())

    def free(self) -> None:
        """Do nothing: the secrets belong to the host."""


def _open(ctx: StorageContext) -> AppSecret:
    return AppSecret(ctx.storage, ctx.secrets, ctx.value)


provider: Final = Provider(
    name="AppSecret",
    open=_open,
    operations={Operation.GET: frozenset(Scope)},
    key=[Field("Secret", "text", required=True)],
    value=[Field("Content", "text", secret=True)],
    sync_projector=True,
    in_memory=True,
    description="The secrets that the package declares",
)
