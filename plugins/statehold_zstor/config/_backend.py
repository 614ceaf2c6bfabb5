from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote, urlsplit

from statehold_zdb.client import Place
from statehold_zdb.engine import ZdbError
from statehold_zstor.config._table import Table
from statehold_zstor.config._values import BackendConfig, BackendKind

_SCHEMES: Final = (
    "expected zdb://HOST:PORT/NAMESPACE, zdb+unix:///PATH?namespace=NAME, s3://BUCKET/PREFIX, "
    "file:///FOLDER or file:FOLDER"
)
_OBJECT_STORE: Final = ("endpoint", "region", "access_key", "secret_key")


def backend_of(table: Table, timeout: float) -> BackendConfig | None:
    """Return the backend that *table* says; None where it is wrong."""
    before = len(table.problems)
    url = _url(table)
    password = table.secret("password")
    endpoint = table.text("endpoint", "")
    region = table.text("region", "us-east-1")
    access_key, secret_key = table.secret("access_key"), table.secret("secret_key")
    limit = table.optional("limit", least=1)
    timeout = table.number("timeout", timeout, least=0.1, most=3600)
    table.done()
    if len(table.problems) > before:
        return None
    made = BackendConfig(
        url=url,
        password=password,
        endpoint=endpoint,
        region=region,
        access_key=access_key,
        secret_key=secret_key,
        limit=limit,
        timeout=timeout,
    )
    _check(table, made)
    return made if len(table.problems) == before else None


def _check(table: Table, backend: BackendConfig) -> None:
    if backend.kind is not BackendKind.ZDB and table.has("password"):
        table.add("password", "only a 0-db has one")
    if backend.kind is not BackendKind.S3:
        for name in _OBJECT_STORE:
            if table.has(name):
                table.add(name, "only an object store has one")
    elif (backend.access_key is None) != (backend.secret_key is None):
        table.add("access_key", "it takes both access_key and secret_key, or none of them")
    if backend.kind is BackendKind.ZDB and backend.limit is not None:
        table.add("limit", "a 0-db knows its own, the maxsize of the namespace")
    if backend.endpoint and urlsplit(backend.endpoint).scheme not in {"http", "https"}:
        table.add("endpoint", f"expected http://HOST:PORT or https://HOST:PORT, got {backend.endpoint!r}")


def _url(table: Table) -> str:
    """Return the URL of a backend, always written in the same way."""
    if not table.has("url"):
        if not table.has("address"):
            table.add("address", "is missing; or url")
            return ""
        namespace = table.text("namespace", "default")
        return _zdb(table, "address", f"zdb://{table.text('address')}/{quote(namespace, safe='')}")
    for name in ("address", "namespace"):
        if table.has(name):
            table.add(name, "url says it already")
    url = table.text("url")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        table.add("url", f"{error}; {_SCHEMES}")
        return ""
    if parts.username or parts.password:
        table.add("url", "has a password in it; give it as password, or access_key and secret_key")
    elif parts.scheme in {"zdb", "zdb+unix"}:
        return _zdb(table, "url", url)
    elif parts.scheme == "s3" and parts.netloc and not parts.query:
        prefix = "/".join(part for part in parts.path.split("/") if part)
        return f"s3://{parts.netloc}/{prefix}".rstrip("/")
    elif parts.scheme == "file" and not parts.netloc and parts.path.strip("/") and not parts.query:
        # A folder without a slash before it lies beside the configuration, as other paths in it do.
        return f"file://{quote(str(table.problems.folder / unquote(parts.path).rstrip('/')))}"
    else:
        table.add("url", f"{_SCHEMES}, got {url!r}")
    return ""


def _zdb(table: Table, field: str, url: str) -> str:
    try:
        place = Place.parse(url)
    except ZdbError as error:
        table.add(field, error.message)
        return ""
    if place.socket:
        return f"zdb+unix://{quote(place.socket)}?namespace={quote(place.namespace, safe='')}"
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"zdb://{host}:{place.port}/{quote(place.namespace, safe='')}"
