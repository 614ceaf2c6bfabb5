from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from statehold_zstor.backends._backend import MAX_VALUE, Buffer, Health
from statehold_zstor.backends._errors import (
    BackendError,
    BackendFullError,
    BackendRefusedError,
    BackendUnreachableError,
    ValueChangedError,
    ValueMissingError,
)
from statehold_zstor.backends._keys import check_value, checked, too_large
from statehold_zstor.backends._usage import Usage
from statehold_zstor.config import BackendConfig

if TYPE_CHECKING:
    from obstore import GetResult, PutMode
    from obstore.store import ClientConfig, S3Config, S3Store

_PAGE: Final = 1000
#: What is looked for, and never there, to see whether the store answers.
_NOTHING: Final = "nothing"
#: What stores say, in their errors, when a quota is used up.
_FULL: Final = (
    "QuotaExceeded",
    "InsufficientStorage",
    "507 Insufficient",
    "EntityTooLarge",
    "XMinioStorageFull",
)
_REFUSED: Final = ("403 Forbidden", "401 Unauthorized", "AccessDenied", "InvalidAccessKeyId")
_NO_BUCKET: Final = "NoSuchBucket"


class S3Backend:
    """A bucket, or a part of one, of an object store of the S3 family that knows conditional writes."""

    def __init__(self, config: BackendConfig) -> None:
        self.name = config.url
        self._store = _open(config)
        self._usage = Usage(self.name, self._sizes, config.limit)

    def put(self, key: str, value: Buffer) -> None:
        check_value(self.name, value)
        self._usage.check_room(len(value))
        with self._errors(key):
            self._store.put(checked(self.name, key), value, use_multipart=False)
        self._usage.add(1, len(value))

    def get(self, key: str) -> bytes:
        with self._errors(key):
            return self._whole(key, self._store.get(checked(self.name, key)))

    def swap(self, key: str, before: bytes | None, after: bytes | None) -> None:
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415 - an extra

        if after is not None:
            check_value(self.name, after)
            self._usage.check_room(len(after))
        found, tag = self._find(key)
        if found == after:
            return
        if found != before:
            raise self._changed(key)
        if after is None:
            self.delete(key)
            return
        try:
            with self._errors(key):
                mode: PutMode = "create" if found is None else {"e_tag": tag}
                self._store.put(key, after, mode=mode, use_multipart=False)
        except BackendError as error:
            # A request that is sent again, because its answer was lost, finds what the first one wrote.
            if not isinstance(error.__cause__, (AlreadyExistsError, PreconditionError)):
                raise
            if self._find(key)[0] != after:
                raise self._changed(key) from error
        self._usage.add(int(found is None), len(after) - len(found or b""))

    def delete(self, key: str) -> None:
        with contextlib.suppress(ValueMissingError), self._errors(key):
            self._store.delete(checked(self.name, key))
            self._usage.add(-1, 0)

    def keys(self, prefix: str = "") -> Iterator[str]:
        with self._errors(prefix):
            folder = prefix.rpartition("/")[0]
            for page in self._store.list(folder or None, chunk_size=_PAGE):
                for each in page:
                    if each["path"].startswith(prefix):
                        yield each["path"]

    def health(self) -> Health:
        try:
            with contextlib.suppress(ValueMissingError), self._errors(_NOTHING):
                self._store.head(_NOTHING)
            objects, used = self._usage.get() or (None, None)
        except BackendError as error:
            return Health(reachable=False, problem=error.message)
        return Health(
            reachable=True,
            objects=objects,
            used=used,
            limit=self._usage.limit,
            free=self._usage.left(used),
        )

    def close(self) -> None:
        """Do nothing: the client gives its connections back by itself, a while after they were used."""

    def _find(self, key: str) -> tuple[bytes | None, str | None]:
        try:
            with self._errors(key):
                found = self._store.get(checked(self.name, key))
                return self._whole(key, found), found.meta["e_tag"]
        except ValueMissingError:
            return None, None

    def _whole(self, key: str, found: GetResult) -> bytes:
        if found.meta["size"] > MAX_VALUE:
            raise too_large(self.name, key)
        return found.bytes().to_bytes()

    def _sizes(self) -> Iterator[int]:
        with self._errors(""):
            for page in self._store.list(chunk_size=_PAGE):
                for each in page:
                    yield each["size"]

    @contextlib.contextmanager
    def _errors(self, key: str) -> Generator[None]:
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError  # noqa: PLC0415

        try:
            yield
        except FileNotFoundError as error:
            text = str(error)
            if _NO_BUCKET in text:
                raise self._no_bucket() from error
            raise ValueMissingError(f"{self.name} has nothing under {key}", backend=self.name) from error
        except (BaseError, OSError, ValueError) as error:
            text = str(error)
            message = f"{self.name}: {' '.join(text.split())[:300]}"
            if _NO_BUCKET in text:
                raise self._no_bucket() from error
            if any(word in text for word in _FULL):
                raise BackendFullError(message, backend=self.name) from error
            denied = isinstance(error, (PermissionDeniedError, UnauthenticatedError))
            if denied or any(word in text for word in _REFUSED):
                raise BackendRefusedError(message, backend=self.name) from error
            raise BackendUnreachableError(message, backend=self.name) from error

    def _no_bucket(self) -> BackendRefusedError:
        return BackendRefusedError(f"{self.name}: there is no such bucket", backend=self.name)

    def _changed(self, key: str) -> ValueChangedError:
        return ValueChangedError(f"{self.name}: something else stands under {key}", backend=self.name)


def _open(config: BackendConfig) -> S3Store:
    try:
        from obstore.store import S3Store  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise BackendRefusedError(
            f"{config.url}: obstore is not installed",
            backend=config.url,
            hint="pip install 'statehold[qsfs]'",
        ) from error
    parts = urlsplit(config.url)
    options: ClientConfig = {
        "allow_http": config.endpoint.startswith("http://"),
        "timeout": timedelta(seconds=0.6 * config.timeout),
        "connect_timeout": timedelta(seconds=0.3 * config.timeout),
    }
    where: S3Config = {"region": config.region, "virtual_hosted_style_request": False}
    if config.endpoint:
        where["endpoint"] = config.endpoint
    if config.access_key is not None and config.secret_key is not None:
        where["access_key_id"] = config.access_key.reveal()
        where["secret_access_key"] = config.secret_key.reveal()
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        config=where,
        client_options=options,
        retry_config={
            "max_retries": 2,
            "retry_timeout": timedelta(seconds=0.4 * config.timeout),
            "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=1)},
        },
    )
