from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from statehold.sdk import IStateStorage, IWithCallContext, Provider, StorageContext
from statehold.testing.extensions._http import HttpMock
from statehold.testing.extensions._mail import MailMock
from statehold.testing.extensions._memory import MemoryStorage
from statehold.testing.extensions._secrets import SecretsMock

#: What reaches other servers; there is no test in which that is wanted.
_REMOTE = ("FederationBlob", "FederationCommand")


class Cast:
    """Chooses what a test opens in place of each storage: mocks, tables in memory, or the storage itself.

    Itself is what answers out of the call or the row store, of package `sys`: Record, View, Result and so on.

    Attributes:
        http: in place of `Http`.
        mail: in place of `SendMail`.
        secrets: in place of `AppSecret`.
        tables: what keeps rows in memory, by the name of the storage.

    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.http = HttpMock()
        self.secrets = SecretsMock(secrets)
        self.mail = MailMock()
        self.tables: dict[str, MemoryStorage] = {}

    def __call__(self, storage: str, provider: Provider) -> Provider:
        """Return the provider to open in place of *provider*."""
        return attrs.evolve(provider, open=self._opener(storage, provider))

    def _opener(self, storage: str, provider: Provider) -> Callable[[StorageContext], IStateStorage]:
        if provider.name == "Http":
            return self.http.open
        if provider.name == "SendMail":
            return self.mail.open
        if provider.name == "AppSecret":
            return self.secrets.open
        if not storage.startswith("sys.") or provider.name in _REMOTE:
            return self._table
        return self._itself(provider.open)

    def _table(self, ctx: StorageContext) -> MemoryStorage:
        table = self.tables[ctx.storage] = MemoryStorage(ctx)
        return table

    def _itself(
        self, itself: Callable[[StorageContext], IStateStorage]
    ) -> Callable[[StorageContext], IStateStorage]:
        def open_storage(ctx: StorageContext) -> IStateStorage:
            impl = itself(ctx)
            if isinstance(impl, IWithCallContext):
                return impl
            impl.free()
            return self._table(ctx)

        return open_storage
