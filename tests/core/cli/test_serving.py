"""The commands that run an app: exec, token, workspace, and deploy to a server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from statehold.hosting import Host
from statehold.processing import Runtime
from statehold.serving import Server, Tokens

HELLO = {"Language": "fr", "Text": "bonjour"}


@pytest.fixture
def data(tmp_path: Path, samples: Path, statehold: Callable[..., str]) -> Path:
    """The data folder of a host with acme.hello."""
    statehold("deploy", samples / "acme.hello", "--data", tmp_path / "data")
    return tmp_path / "data"


def test_a_command_is_run_without_a_server_and_a_query_sees_it(data, machine, statehold):
    done = machine("exec", "acme.hello", "hello.Learn", "--args", json.dumps(HELLO), "--data", data)
    assert (done["kind"], done["wsid"], done["new_ids"]) == ("command", 1, {})
    assert done["offset"] > 1
    found = machine("exec", "acme.hello", "hello.Greet", "--data", data)
    assert (found["kind"], found["results"]) == ("query", [HELLO])
    text = statehold("exec", "acme.hello", "hello.Greet", "--data", data)
    assert '{"Language": "fr", "Text": "bonjour"}' in text
    assert "1 result" in text
    assert "logged at offset" in statehold(
        "exec", "acme.hello", "hello.Learn", "--args", json.dumps(HELLO), "--data", data
    )


def test_who_asks_may_be_somebody_with_a_role(data, machine):
    args = ("--args", json.dumps(HELLO), "--data", data)
    assert machine("exec", "acme.hello", "hello.Learn", "--as", "sys.Everyone", *args)["kind"] == "command"
    error = machine("exec", "acme.hello", "hello.Learn", "--as", "nobody", *args, code=2)["error"]
    assert "package.Role" in error["message"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hello.Lern",), "Did you mean hello.Learn?"),
        (("nothing.At_all",), "hello.Greet, hello.Learn"),
        (("hello.Learn", "--args", '{"Language": 5}'), "Language"),
        (("hello.Greet", "--wsid", "77"), "workspace 77"),
    ],
)
def test_what_cannot_be_run_is_said(data, machine, arguments, said):
    error = machine("exec", "acme.hello", *arguments, "--data", data, code=1)["error"]
    assert said in f"{error['message']}. {error['hint']}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("hello.Learn", "--args", "{"),
        ("hello.Greet", "--unlogged", "{}"),
        ("hello.Learn", "--wsid", "-1"),
    ],
)
def test_what_is_called_wrongly_is_wrong_usage(data, statehold, arguments):
    statehold("exec", "acme.hello", *arguments, "--data", data, code=2)


def test_a_token_says_who_somebody_is_and_needs_no_host(tmp_path, machine, statehold):
    roles = ("--role", "bills.Waiter@65537", "--role", "sys.ClusterAdmin")
    data = tmp_path / "data"
    issued = machine(
        "token", "acme.bills", *roles, "--name", "ann", "--profile", 7, "--hours", 2, "--data", data
    )
    found = Tokens.open(data).check(issued["token"], "acme.bills")
    assert (found.name, found.kind, found.profile) == ("ann", 1, 7)
    assert found.roles == {65_537: frozenset({"bills.Waiter"}), 0: frozenset({"sys.ClusterAdmin"})}
    text = statehold("token", "*", "--device", "--data", data)
    assert Tokens.open(data).check(text.strip(), "acme.hello").kind == 2


@pytest.mark.parametrize(
    "arguments", [("bills",), ("acme.bills", "--role", "x"), ("acme.bills", "--hours", "0")]
)
def test_a_token_for_what_cannot_be_is_wrong_usage(tmp_path, statehold, arguments):
    statehold("token", *arguments, "--data", tmp_path / "data", code=2)
    assert not (tmp_path / "data").exists()


def test_workspaces_are_made_and_listed(tmp_path, samples, statehold, machine):
    data, secrets = tmp_path / "data", tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "bills.Scada_Password").write_text("hot")
    (secrets / "bills.Rates_URL").write_text("http://127.0.0.1:1/rates")
    host = ("--data", data, "--secrets", secrets)
    statehold("deploy", samples / "acme.bills", *host)
    made = machine(
        "workspace",
        "make",
        "acme.bills",
        "bills.RestaurantWS",
        "Chez Ann",
        "--owner",
        1,
        *host,
        "--fields",
        '{"City": "Paris"}',
    )
    assert made["wsid"] == 65_537
    listed = machine("workspace", "list", "acme.bills", *host)["workspaces"]
    assert [(one["wsid"], one["kind"], one["name"], one["owner"]) for one in listed] == [
        (1, "sys.AppWorkspaceWS", "app 1", None),
        (65_537, "bills.RestaurantWS", "Chez Ann", 1),
    ]
    assert "Chez Ann" in statehold("workspace", "list", "acme.bills", *host)
    error = machine("workspace", "make", "acme.bills", "bills.NoWS", "x", *host, code=1)["error"]
    assert "bills.NoWS" in error["message"]


def test_an_image_is_deployed_to_a_server_that_runs(data, tmp_path, samples, machine, statehold):
    tokens = Tokens.open(data)
    image = machine("build", samples / "acme.hello", "--output", tmp_path, "--version", "2")["path"]
    with Host(data) as host, Runtime(host) as runtime:
        with Server(host, runtime, tokens=tokens, data_folder=data) as server:
            to = ("--to", server.url, "--data", data)
            assert machine("deploy", image, *to, "--beside")["state"] == "ready"
            assert host.app("acme.hello").current.name == "1"
            assert "acme.hello 2 is current" in statehold("deploy", image, *to)
            assert host.app("acme.hello").current.name == "2"
            greet = httpx.get(f"{server.url}/api/v2/apps/acme/hello/workspaces/1/queries/hello.Greet")
            assert greet.json() == {"results": []}
            other = tmp_path / "other"
            Tokens.open(other)
            error = machine("deploy", image, "--to", server.url, "--data", other, code=1)["error"]
            assert "401" in error["message"]
            assert "--data" in error["hint"]
            locked = machine("deploy", image, "--data", data, code=1)["error"]
            assert "--to URL" in locked["hint"]
        error = machine("deploy", image, *to, code=1)["error"]
        assert "no server can be reached" in error["message"]
    error = machine("deploy", image, "--to", server.url, "--data", tmp_path / "none", code=1)["error"]
    assert "no key" in error["message"]


def test_rows_are_kept_where_the_operator_says(tmp_path, samples, statehold):
    said = statehold("deploy", samples / "acme.hello", "--data", tmp_path, "--rows", "mysql://x", code=2)
    assert "postgresql://" in said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("exec", "acme.hello", "hello.Learn", "--wsid", "7"), "workspaces/7/commands/hello.Learn, or GET"),
        (("exec", "acme.hello", "hello.Learn"), "statehold token acme.hello --role sys.System"),
        (("workspace", "make", "acme.hello", "hello.WS", "x"), "POST /api/v2/apps/acme/hello/workspaces"),
        (("activate", "acme.hello", "1"), "statehold activate acme.hello 1 --to URL"),
    ],
)
def test_while_a_server_holds_the_folder_the_error_names_the_way_over_http(data, machine, command, said):
    with Host(data):
        error = machine(*command, "--data", data, code=1)["error"]
    assert "in use by another host" in error["message"]
    assert said in error["hint"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), (10.0, 30.0, 30.0)),
        (("--command-timeout", "60", "--query-timeout", "0.5"), (60.0, 0.5, 60.0)),
        (("--query-timeout", "120"), (10.0, 120.0, 120.0)),
    ],
)
def test_how_long_commands_and_queries_may_take_is_said_to_serve(
    data, statehold, monkeypatch, options, expected
):
    served = []

    class Watched(Server):
        def __init__(self, host, runtime, *, limits, **options):
            super().__init__(host, runtime, limits=limits, **options)
            settings = runtime._settings
            served.append((settings.command_timeout, settings.query_timeout, limits.request_seconds))

        def run(self, **_):
            self.stop()

    monkeypatch.setattr("statehold.serving.Server", Watched)
    statehold("serve", "--port", "0", *options, "--data", data)
    assert served == [expected]


def test_a_time_that_nothing_could_be_done_in_is_wrong_usage(data, statehold):
    statehold("serve", "--query-timeout", "0", "--data", data, code=2)


class _Page(BaseHTTPRequestHandler):
    """Answers all that is asked with what the server has to say."""

    def do_GET(self):
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.said)

    do_DELETE = do_POST = do_GET

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def page():
    """A server that is none of Statehold."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join(30)


@pytest.mark.parametrize(
    ("status", "said"), [(200, b"<html>"), (200, b"\xff"), (200, b"[]"), (200, b"{}"), (502, b"[1]")]
)
def test_what_is_no_server_of_statehold_is_told_as_such(tmp_path, page, machine, status, said):
    page.status, page.said = status, said
    Tokens.open(tmp_path)
    url = f"http://127.0.0.1:{page.server_port}"
    for command in (("apps",), ("quarantine", "list"), ("rollback", "acme.hello")):
        error = machine(*command, "--to", url, "--data", tmp_path, code=1)["error"]
        if status == 200:
            assert f"what answers at {url} is no server of Statehold" in error["message"]
        else:
            assert "refuses" in error["message"]
            assert "502" in error["message"]
