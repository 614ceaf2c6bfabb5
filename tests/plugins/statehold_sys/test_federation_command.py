from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from federation import SYSTEM_TOKEN, Elsewhere
from servers import http_server, raw_server, reply

from statehold.sdk import FreedError, StorageError, Value
from statehold.testing import OpenStorage, open_storage
from statehold_sys.federation_command import provider

Handler = BaseHTTPRequestHandler
LOCAL = {"network": ["127.0.0.1"]}


@contextmanager
def served(answer: Callable[[Handler], None], **options: Any) -> Iterator[OpenStorage]:
    """Open the storage in `acme.bills`, with every application at a server that answers so."""
    with http_server(answer) as port:
        given = {"app": "acme.bills", "allowances": LOCAL, "host": Elsewhere(port), **options}
        with open_storage(provider, **given) as opened:
            yield opened


def execute(opened: OpenStorage, workspace: int = 7, **key: Any) -> Value:
    value = opened.facade.get(opened.key(workspace, **{"Command": "bills.Pay", **key}))
    assert value is not None
    return value


def saying(body: Any, *, status: int = 200) -> Callable[[Handler], None]:
    def answer(request: Handler) -> None:
        request.rfile.read(int(request.headers["Content-Length"]))
        reply(request, body if isinstance(body, bytes) else json.dumps(body).encode(), status=status)

    return answer


def test_executes_a_command_of_this_app_and_workspace_as_the_system() -> None:
    """By the API: POST to the command, with the body as it is, and the system's token."""
    seen: list[Any] = []

    def answer(request: Handler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        seen.append((request.command, request.path, request.headers["Authorization"], body))
        assert request.headers["Content-Type"] == "application/json"
        reply(request, b'{"currentWLogOffset": 3, "newIDs": {"1": 200001}, "result": {"Number": 5}}')

    with served(answer) as opened:
        value = execute(opened, Body='{"args": {"Number": 5}}')
    assert seen == [
        (
            "POST",
            "/api/v2/apps/acme/bills/workspaces/7/commands/bills.Pay",
            f"Bearer {SYSTEM_TOKEN}.acme.bills",
            b'{"args": {"Number": 5}}',
        )
    ]
    assert value.StatusCode == 200
    assert value.NewIDs["1"] == 200_001
    assert value.Result == {"Number": 5}


def test_executes_a_command_of_another_app_elsewhere_with_another_token() -> None:
    """Owner, AppName, WSID and Token are those of the key."""
    seen: list[Any] = []

    def answer(request: Handler) -> None:
        seen.append((request.path, request.headers["Authorization"], request.rfile.read(2)))
        reply(request, b"{}", status=201)

    with served(answer) as opened:
        value = execute(opened, 9, Command="sys.Init", Owner="other", AppName="shop-2", Token="t0k")
    assert seen == [("/api/v2/apps/other/shop-2/workspaces/9/commands/sys.Init", "Bearer t0k", b"{}")]
    assert (value.StatusCode, value.NewIDs, value.Result) == (201, {}, None)


def test_an_answer_without_a_body_has_no_result() -> None:
    """Nor new ids."""
    with served(saying(b"", status=200)) as opened:
        value = execute(opened)
    assert (value.NewIDs, value.Result) == ({}, None)


def test_another_status_is_an_error_with_what_the_server_says() -> None:
    """By default 200 and 201 are expected."""
    with (
        served(saying({"message": "no such\n  bill", "status": 404}, status=404)) as opened,
        pytest.raises(
            StorageError,
            match=r"FederationCommand: POST .*bills\.Pay: expected status 200, 201, got 404: no such bill",
        ),
    ):
        execute(opened)


def test_expected_codes_say_what_is_no_error() -> None:
    """And then 200 is one, unless it is named too; of an expected failure the answer itself is the result."""
    with served(saying({"message": "paid already"}, status=409)) as opened:
        value = execute(opened, ExpectedCodes="200,409")
        assert (value.StatusCode, value.NewIDs, value.Result) == (409, {}, {"message": "paid already"})
    with served(saying({})) as opened, pytest.raises(StorageError, match="expected status 409, got 200"):
        execute(opened, ExpectedCodes="409")
    with served(saying(b"busy", status=503)) as opened:
        assert execute(opened, ExpectedCodes="503").Result is None


@pytest.mark.parametrize(
    "codes",
    [
        "200, 201",
        "200,",
        ",200",
        "20",
        "2000",
        "600",
        "0200",
        "two",
        "200;201",
        "\uff12\uff10\uff10",
        "-200",
        " ",
        "200\n",
    ],
)
def test_expected_codes_are_read_strictly(codes: str) -> None:
    """Before anything is sent."""
    hits: list[str] = []
    with (
        served(lambda request: hits.append(request.path)) as opened,
        pytest.raises(StorageError, match="ExpectedCodes"),
    ):
        execute(opened, ExpectedCodes=codes)
    assert hits == []


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ({"Owner": "../x"}, "Owner"),
        ({"Owner": "a/b"}, "Owner"),
        ({"AppName": "b?c=d"}, "AppName"),
        ({"AppName": "bills.x"}, "AppName"),
        ({"AppName": ".."}, "AppName"),
        ({"Command": "bills.Zahl\u00fcng"}, "Command"),
        ({"Token": "a\r\nX-Evil: 1"}, "Token"),
        ({"Token": "päss"}, "Token"),
    ],
)
def test_nothing_in_a_key_changes_the_request(key: dict[str, str], named: str) -> None:
    """What would be another path, or another header, is refused; a token is not quoted."""
    hits: list[str] = []
    with served(lambda request: hits.append(request.path)) as opened:
        with pytest.raises(StorageError, match=named) as caught:
            execute(opened, **key)
        assert named != "Token" or key["Token"] not in str(caught.value)
    assert hits == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>", "no JSON object"),
        (b"[1]", "no JSON object"),
        ({"newIDs": [1]}, "newIDs"),
        ({"newIDs": {"1": "x"}}, "newIDs"),
        ({"newIDs": {"1": True}}, "newIDs"),
        ({"newIDs": {"1": 0}}, "newIDs"),
        ({"newIDs": {"1": 2**63}}, "newIDs"),
        (b'{"result": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "no JSON object"),
        ({"result": 5}, "result"),
        ({"result": "text"}, "result"),
    ],
)
def test_an_answer_that_is_none_of_the_api_is_an_error_that_says_that_the_command_ran(
    body: Any, told: str
) -> None:
    """So that nobody executes it twice."""
    with served(saying(body)) as opened, pytest.raises(StorageError, match=f"was executed, but .*{told}"):
        execute(opened)


def test_a_failure_that_is_nested_too_deeply_is_told_as_it_came() -> None:
    """Rather than ending in the decoder."""
    with (
        served(saying(b"[" * 100_000, status=500)) as opened,
        pytest.raises(StorageError, match=r"got 500: \[{300}\.\.\."),
    ):
        execute(opened)


def test_no_error_shows_a_token() -> None:
    """Neither the key's nor the system's, also where the server sends it back."""
    secret = "tok-" + "x" * 60

    def answer(request: Handler) -> None:
        request.rfile.read(2)
        said = "." * 280 + request.headers["Authorization"]
        reply(request, json.dumps({"message": said}).encode(), status=403)

    with served(answer) as opened:
        for key, token in (({"Token": secret}, secret), ({}, SYSTEM_TOKEN)):
            with pytest.raises(StorageError, match="403") as caught:
                execute(opened, **key)
            assert token[:8] not in f"{caught.value!r} {caught.value} {caught.value.__cause__}"
            assert token not in repr(opened.key(7, Command="a.B", **key))


def test_only_permitted_addresses_are_called() -> None:
    """As for Http: this machine is not, unless the operator allows it."""
    hits: list[str] = []
    with served(lambda request: hits.append(request.path), allowances={}) as opened:
        with pytest.raises(StorageError, match="loopback") as caught:
            execute(opened)
        assert '"test.FederationCommand"' in caught.value.hint
    assert hits == []


def test_a_redirect_is_not_followed() -> None:
    """The token stays with the application that it is for."""
    hits: list[str] = []

    def stranger(request: Handler) -> None:
        hits.append(request.path)
        reply(request, b"{}")

    with http_server(stranger) as port:

        def answer(request: Handler) -> None:
            request.rfile.read(2)
            reply(request, status=307, headers=[("Location", f"http://127.0.0.1:{port}/")])

        with served(answer) as opened, pytest.raises(StorageError, match="got 307"):
            execute(opened)
    assert hits == []


def test_a_server_that_does_not_answer_is_left_in_time() -> None:
    """However slowly it drips."""

    def drip(peer: Any) -> None:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            peer.sendall(b" ")
            time.sleep(0.05)

    with (
        raw_server(drip) as port,
        open_storage(
            provider,
            host=Elsewhere(port),
            allowances=LOCAL,
            config={"TimeoutMilliseconds": 300},
        ) as opened,
        pytest.raises(StorageError, match="not done in 300 ms"),
    ):
        execute(opened)


def test_a_server_that_is_not_there_is_an_error() -> None:
    """With the address, without the token."""
    with http_server(lambda _: None) as port:
        pass
    with (
        open_storage(provider, host=Elsewhere(port), allowances=LOCAL) as opened,
        pytest.raises(StorageError, match=rf"POST http://127\.0\.0\.1:{port}/api/v2/"),
    ):
        execute(opened)


def test_a_large_answer_is_an_error() -> None:
    """Found while it arrives."""
    with (
        served(saying({"result": {"Text": "x" * 2000}}), config={"MaxBodyBytes": 1000}) as opened,
        pytest.raises(StorageError, match="MaxBodyBytes, 1,000"),
    ):
        execute(opened)


def test_a_host_that_knows_no_other_applications_says_so() -> None:
    """Rather than failing in the middle."""
    with (
        open_storage(provider, app="acme.bills") as opened,
        pytest.raises(StorageError, match=r"acme\.bills"),
    ):
        execute(opened)


def test_a_freed_storage_executes_nothing() -> None:
    """Its connections are gone."""
    with served(saying({})) as opened:
        execute(opened)
    with pytest.raises(FreedError):
        execute(opened)
