from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from federation import SYSTEM_TOKEN, Elsewhere
from servers import http_server, reply

from statehold.sdk import StorageError
from statehold.testing import FakeClock, OpenStorage, open_storage
from statehold_sys._network import _deadline
from statehold_sys.federation_blob import provider

Handler = BaseHTTPRequestHandler
OWNER = {"OwnerID": 200_001, "OwnerRecord": "bills.Bill", "OwnerRecordField": "Scan"}


@contextmanager
def served(answer: Callable[[Handler], None], **options: Any) -> Iterator[OpenStorage]:
    with http_server(answer) as port:
        given = {
            "app": "acme.bills",
            "allowances": {"network": ["127.0.0.1"]},
            "host": Elsewhere(port),
            **options,
        }
        with open_storage(provider, **given) as opened:
            yield opened


def pieces(opened: OpenStorage, workspace: int = 7, **key: Any) -> list[bytes]:
    return [value.Body for _, value in opened.facade.read(opened.prefix(workspace, **{**OWNER, **key}))]


def test_fetches_what_the_field_of_the_owner_has() -> None:
    """By the API: GET of the field, as the system; nothing is sent along."""
    seen: list[Any] = []

    def answer(request: Handler) -> None:
        seen.append((request.command, request.path, request.headers["Authorization"]))
        assert request.headers["Content-Type"] is None
        reply(request, b"\x00scan", headers=[("Content-Type", "image/png")])

    with served(answer) as opened:
        ((key, value),) = opened.facade.read(opened.prefix(7, **OWNER))
        assert pieces(opened, 9, Owner="other", AppName="shop", Token="t") == [b"\x00scan"]
    assert value.Body == b"\x00scan"
    assert (key.WSID, key.OwnerID, key.Owner, key.Token) == (7, 200_001, None, None)
    path = "docs/bills.Bill/200001/blobs/Scan"
    assert seen == [
        ("GET", f"/api/v2/apps/acme/bills/workspaces/7/{path}", f"Bearer {SYSTEM_TOKEN}.acme.bills"),
        ("GET", f"/api/v2/apps/other/shop/workspaces/9/{path}", "Bearer t"),
    ]


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 4096, 200_000])
def test_a_blob_comes_in_pieces_of_1024_bytes(size: int) -> None:
    """The last one is shorter; each piece is bytes of its own; an empty blob has none."""
    blob = bytes(n * 7 % 251 for n in range(size))
    with served(lambda request: reply(request, blob)) as opened:
        found = pieces(opened)
    assert b"".join(found) == blob
    assert all(len(piece) == 1024 for piece in found[:-1])
    assert len(found) == -(-size // 1024)


def test_a_blob_may_be_left_at_any_piece() -> None:
    """Its connection is given back, and the next READ is whole."""
    with served(lambda request: reply(request, bytes(50_000))) as opened:
        for count in (0, 1, 20):
            reading = opened.facade.read(opened.prefix(7, **OWNER))
            for _ in range(count):
                next(reading)
            reading.close()  # type: ignore[attr-defined]
        assert len(pieces(opened)) == 49


def test_a_blob_that_breaks_off_is_an_error_after_the_pieces_before() -> None:
    """Nobody takes a part for the whole."""

    def answer(request: Handler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "5000")
        request.end_headers()
        request.wfile.write(bytes(2048))
        request.close_connection = True

    with served(answer) as opened:
        reading = opened.facade.read(opened.prefix(7, **OWNER))
        assert [len(next(reading)[1].Body) for _ in range(2)] == [1024, 1024]
        with pytest.raises(StorageError, match=r"test\.FederationBlob: GET "):
            next(reading)


def test_a_blob_larger_than_the_limit_is_an_error() -> None:
    """Found while it arrives."""
    with (
        served(lambda request: reply(request, bytes(5000)), config={"MaxBodyBytes": 4999}) as opened,
        pytest.raises(StorageError, match="MaxBodyBytes, 4,999"),
    ):
        pieces(opened)


def test_the_time_between_pieces_is_the_reader_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only waiting for the network counts."""
    clock = FakeClock()
    monkeypatch.setattr(_deadline, "time", clock)
    with served(lambda request: reply(request, bytes(3000))) as opened:
        reading = opened.facade.read(opened.prefix(7, **OWNER))
        for _ in range(2):
            next(reading)
            clock.advance(3600)
        assert len(list(reading)) == 1


def test_a_record_without_the_blob_is_an_error_with_what_the_server_says() -> None:
    """Unless its status is expected."""
    with served(lambda request: reply(request, b'{"message": "no blob"}', status=404)) as opened:
        with pytest.raises(StorageError, match=r"expected status 200, 201, got 404: no blob"):
            pieces(opened)
        assert pieces(opened, ExpectedCodes="200,404") == [b'{"message": "no blob"}']


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ({"OwnerID": 0}, "OwnerID is missing"),
        ({"OwnerRecordField": ""}, "OwnerRecordField is missing"),
        ({"OwnerRecordField": "Scan/../x"}, "OwnerRecordField"),
        ({"OwnerRecordField": "Scan?x"}, "OwnerRecordField"),
        ({"ExpectedCodes": "ok"}, "ExpectedCodes"),
    ],
)
def test_a_key_that_names_no_blob_is_an_error(key: dict[str, Any], named: str) -> None:
    """Before anything is sent."""
    hits: list[str] = []
    with (
        served(lambda request: hits.append(request.path)) as opened,
        pytest.raises(StorageError, match=named),
    ):
        pieces(opened, **key)
    assert hits == []


@pytest.mark.parametrize(("count", "missing"), [(0, "OwnerID"), (1, "OwnerRecord"), (2, "OwnerRecordField")])
def test_what_a_prefix_leaves_out_is_missing_in_the_order_of_the_key(count: int, missing: str) -> None:
    """Id, table, field."""
    with served(reply) as opened:
        key = opened.prefix(7, **dict(list(OWNER.items())[:count]))
        with pytest.raises(StorageError, match=f"{missing} is missing"):
            opened.facade.read(key)
