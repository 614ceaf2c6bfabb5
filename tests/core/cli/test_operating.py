from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import sys
import termios

import pytest
from click.shell_completion import ShellComplete

from statehold.cli import _image_matrix, run
from statehold.cli._group import cli
from statehold.hosting import FreedPlugin, Host
from statehold.loading import Catalog, installed

LISTING = {"lacking": ["landlock: too old"]}
_KEY = '{"Language": "en"}'


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATEHOLD_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def hello(statehold, samples, data, tmp_path):
    """Return the image of acme.hello, deployed at version 1, with one row."""
    del data
    statehold("build", samples / "acme.hello", "-o", tmp_path)
    statehold("deploy", tmp_path / "acme.hello-1.shi")
    _insert(statehold, "Hello")
    return tmp_path / "acme.hello-1.shi"


def _insert(statehold, text):
    value = json.dumps({"Text": text})
    return statehold(
        *("call", "acme.hello", "hello.Greetings", "INSERT", "--scope", "COMMANDS"),
        *("--key", _KEY, "--value", value),
    )


def _call(run, operation, *more, scope="QUERIES", code=0):
    return run("call", "acme.hello", "hello.Greetings", operation, "--scope", scope, *more, code=code)


@pytest.mark.usefixtures("hello")
def test_a_row_is_there_in_the_next_command(machine):
    rows = _call(machine, "GET", "--key", _KEY)["rows"]
    assert rows == [{"key": {"WSID": 1, "Language": "en"}, "value": {"Text": "Hello"}}]


def test_a_view_is_read_by_name_and_changed_by_extensions_only(
    statehold, machine, samples, data, monkeypatch
):
    del data
    monkeypatch.setenv("STATEHOLD_SECRET_SCADA_PASSWORD", "x")
    monkeypatch.setenv("STATEHOLD_SECRET_RATES_URL", "http://127.0.0.1:1/rates")
    statehold("deploy", samples / "acme.bills")
    view, key = ["call", "acme.bills", "sys.View(bills.Rates)"], '{"Bank": 1, "Currency": "USD"}'
    read = machine(*view, "READ", "--scope", "QUERIES", "--key", '{"Bank": 1}', "--partition", 1)
    assert read["rows"] == []
    told = statehold(
        *(*view, "INSERT", "--scope", "JOBS", "--key", key, "--value", '{"PerEuro": 1.1}', "--partition", 1),
        code=1,
    )
    assert "sys.View(bills.Rates) is changed by commands, projectors and jobs only" in told
    assert "sys.View(bills.Rates)" in statehold(
        "call", "acme.bills", "sys.View", "READ", "--scope", "JOBS", code=1
    )


@pytest.mark.usefixtures("hello")
def test_a_missing_row_is_no_error(machine, statehold):
    assert _call(machine, "GET", "--key", '{"Language": "xx"}')["rows"][0]["value"] is None
    assert "no such row" in _call(statehold, "GET", "--key", '{"Language": "xx"}')


@pytest.mark.usefixtures("hello")
def test_workspaces_are_apart(machine):
    assert _call(machine, "READ", "--wsid", "2")["rows"] == []


@pytest.mark.usefixtures("hello")
def test_a_read_ends_at_the_limit_and_says_so(statehold, machine):
    for language in ("de", "fr"):
        statehold(
            *("call", "acme.hello", "hello.Greetings", "INSERT", "--scope", "COMMANDS"),
            *("--key", json.dumps({"Language": language}), "--value", '{"Text": "x"}'),
        )
    found = _call(machine, "READ", "--limit", "2")
    assert (len(found["rows"]), found["more"]) == (2, True)
    assert "and more" in _call(statehold, "READ", "--limit", "2")
    assert _call(machine, "READ", "--limit", "3")["more"] is False


@pytest.mark.usefixtures("hello")
def test_a_denied_operation_is_explained(machine, statehold):
    error = _call(machine, "INSERT", "--key", _KEY, "--value", '{"Text": "x"}', code=1)["error"]
    assert error["type"] == "ScopeError"
    assert (error["storage"], error["operation"], error["scope"]) == ("hello.Greetings", "INSERT", "QUERIES")
    assert error["hint"]
    text = _call(statehold, "INSERT", "--key", _KEY, "--value", '{"Text": "x"}', code=1)
    assert "error:" in text
    assert "hint:" in text


@pytest.mark.usefixtures("hello")
@pytest.mark.parametrize("scope", ["queries", "QUERY", "Queries"])
def test_words_of_the_language_are_taken_in_any_form(machine, scope):
    assert _call(machine, "get", "--key", _KEY, scope=scope)["scope"] == "QUERIES"


def test_a_word_that_is_none_names_the_nearest(statehold):
    assert "Did you mean QUERIES?" in _call(statehold, "GET", scope="QUERYS", code=2)


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["statehold", "dep"], ["deploy"]),
        (["statehold", "activate", "acme.h"], ["acme.hello"]),
        (["statehold", "call", "a", "b", "get"], ["GET", "GETBATCH"]),
        (["statehold", "call", "--scope", "q"], ["QUERIES"]),
    ],
)
@pytest.mark.usefixtures("hello")
def test_a_shell_completes_commands_apps_and_words(words, completed):
    complete = ShellComplete(cli, {}, "statehold", "_STATEHOLD_COMPLETE")
    found = complete.get_completions(words[1:-1], words[-1])
    assert [item.value for item in found] == completed


@pytest.mark.usefixtures("hello")
def test_an_app_that_is_not_there_brings_the_nearest_name(statehold):
    for command in (["matrix"], ["rollback"], ["undeploy"], ["call"]):
        more = ["hello.Greetings", "GET", "--scope", "QUERIES"] if command == ["call"] else []
        assert "Did you mean 'acme.hello'?" in statehold(*command, "acme.helo", *more, code=1)


@pytest.mark.usefixtures("hello")
def test_the_workspace_is_no_field_of_a_key(statehold):
    assert "--wsid" in _call(statehold, "GET", "--key", '{"Language": "en", "WSID": 2}', code=2)


def test_what_keeps_an_app_from_running_is_told_once(statehold, samples, data, monkeypatch):
    monkeypatch.setenv("STATEHOLD_SECRET_RATES_URL", "http://bank.example/?key=42")
    monkeypatch.setenv("STATEHOLD_SECRET_SCADA_PASSWORD", "let me in")
    statehold("deploy", samples / "acme.bills")
    monkeypatch.delenv("STATEHOLD_SECRET_SCADA_PASSWORD")
    told = statehold("matrix", "acme.bills", code=1)
    assert told.count("Scada_Password is missing") == 1
    assert told.startswith("error: ")
    assert str(data) in told


def test_what_goes_wrong_when_storages_are_freed_is_a_warning(statehold, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    statehold("new", "app", "you.shop")
    (code,) = tmp_path.glob("you.shop/image/pkg/you/shop/storages/*/__init__.py")
    code.write_text(code.read_text().replace("self._rows.clear()", 'raise ValueError("not that way")'))
    told = statehold("deploy", "you.shop")
    assert told.splitlines()[0] == "✓ you.shop 1 is current, 1 partition"
    assert told.splitlines()[1].startswith(
        "warning: shop.Counter of partition 0 of you.shop 1: free() raised"
    )
    assert data.is_dir()


@pytest.mark.parametrize("defect", ["SystemExit(0)", 'BrokenPipeError("gone")', 'ZeroDivisionError("gone")'])
def test_a_call_says_which_storage_raised_what_no_storage_should(
    statehold, data, tmp_path, monkeypatch, defect
):
    monkeypatch.chdir(tmp_path)
    statehold("new", "app", "you.shop")
    (code,) = tmp_path.glob("you.shop/image/pkg/you/shop/storages/*/__init__.py")
    code.write_text(code.read_text().replace("return self._rows.get(key)", f"raise {defect}"))
    statehold("deploy", "you.shop")
    told = statehold(
        *("call", "you.shop", "shop.Counter", "GET", "--scope", "QUERIES", "--key", '{"Name": "x"}'), code=1
    )
    assert f"error: shop.Counter: GET raised {defect.partition('(')[0]}: " in told
    assert data.is_dir()


@pytest.mark.usefixtures("hello")
@pytest.mark.parametrize("columns", [30, 40, 200])
def test_a_table_loses_nothing_on_a_terminal_of_any_width(columns):
    got = _on_terminal(["matrix", "acme.hello"], columns)
    assert "…" not in got
    assert "GETBATCH" in got
    assert "hello.Greetings" in "".join(line[:15] for line in got.splitlines()[2:]).replace(" ", "")


@pytest.mark.usefixtures("hello")
def test_a_table_loses_nothing_in_a_pipe(statehold, samples):
    name = "acme.an" + "d" * 40 + "on"
    shutil.copytree(samples / "acme.hello", name)
    statehold("deploy", name)
    assert f"{name}  1" in statehold("apps")


def _on_terminal(arguments, columns):
    child, terminal = pty.fork()
    if not child:
        os.execv(sys.executable, [sys.executable, "-m", "statehold", *arguments])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    got = b""
    try:
        while part := os.read(terminal, 65536):
            got += part
    except OSError:
        pass  # so Linux says that the other side has gone
    assert os.waitpid(child, 0)[1] == 0
    os.close(terminal)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", got.decode())


@pytest.mark.usefixtures("hello")
def test_a_wrong_field_names_what_there_is(machine):
    error = _call(machine, "GET", "--key", '{"Langauge": "en"}', code=1)["error"]
    assert error["type"] == "SchemaError"
    assert "Language" in error["message"] + error["hint"]


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("GET", ["--key", _KEY, "--key", _KEY]),
        ("GET", ["--key", _KEY, "--value", "{}"]),
        ("INSERT", ["--key", _KEY]),
        ("GET", ["--key", "{"]),
        ("PUT", []),
    ],
)
def test_a_call_that_makes_no_sense_is_wrong_usage(machine, data, operation, more):
    _call(machine, operation, *more, code=2)
    assert not data.exists()


@pytest.mark.usefixtures("hello")
def test_unknown_apps_storages_and_versions_name_the_nearest(statehold):
    assert "acme.hello" in statehold("activate", "acme.hallo", "1", code=1)
    assert "hello.Greetings" in statehold(
        *("call", "acme.hello", "hello.Greeting", "GET", "--scope", "QUERIES", "--key", _KEY), code=1
    )
    assert "error:" in _call(statehold, "GET", "--key", _KEY, "--version", "9", code=1)


@pytest.mark.usefixtures("hello")
def test_there_is_nothing_to_roll_back_to_after_the_first_deploy(statehold):
    assert "error:" in statehold("rollback", "acme.hello", code=1)


def test_versions_are_listed_as_they_stand(statehold, machine, samples, hello, tmp_path):
    del hello
    statehold("build", samples / "acme.hello", "-o", tmp_path, "--version", "2")
    assert "beside" in statehold("deploy", tmp_path / "acme.hello-2.shi", "--beside")
    assert _states(machine) == {"1": "current", "2": "beside"}
    assert _call(machine, "GET", "--key", _KEY, "--version", "2")["rows"][0]["value"] == {"Text": "Hello"}
    assert machine("activate", "acme.hello", "2")["current"] == "2"
    assert _states(machine) == {"1": "previous", "2": "current"}
    assert machine("rollback", "acme.hello")["current"] == "1"
    assert _states(machine) == {"1": "current", "2": "previous"}
    statehold("undeploy", "acme.hello", "--version", "2")
    assert _states(machine) == {"1": "current"}
    statehold("undeploy", "acme.hello")
    assert "No apps" in statehold("apps")


def _states(machine):
    (app,) = machine("apps")["apps"]
    return {version["version"]: version["state"] for version in app["versions"]}


def test_the_matrix_marks_what_this_host_does_not_provide(statehold, samples, monkeypatch):
    whole = installed()
    less = Catalog(storages=[one for one in whole.storages if one.name != "Event"], hooks=whole.hooks)
    monkeypatch.setattr(_image_matrix, "installed", lambda: less)
    shown = statehold("matrix", samples / "acme.hello", "--all")
    assert "(sys.Event) " in shown
    assert "\nsys.Http " in shown
    assert "(in brackets): declared, but not provided by this host" in shown


@pytest.mark.usefixtures("hello")
def test_the_matrix_of_a_deployed_app_and_of_its_source_are_the_same(machine, statehold, samples):
    deployed = machine("matrix", "acme.hello")
    assert deployed == machine("matrix", samples / "acme.hello")
    (greetings,) = [s for s in deployed["storages"] if s["storage"] == "hello.Greetings"]
    assert greetings["permissions"]["INSERT"] == {
        "COMMANDS": "declared",
        "QUERIES": "denied",
        "PROJECTORS": "denied",
        "JOBS": "denied",
    }
    assert "sys.Http" in statehold("matrix", "acme.hello", "--all")
    assert "sys.Http" not in statehold("matrix", "acme.hello")


def test_a_second_host_on_the_folder_is_refused(statehold, data):
    with Host(data, apps=()):
        assert "in use" in statehold("apps", code=1)


def test_a_damaged_image_changes_nothing(statehold, machine, hello, tmp_path):
    (tmp_path / "bad.shi").write_bytes(hello.read_bytes()[:-100])
    statehold("deploy", tmp_path / "bad.shi", code=1)
    assert _states(machine) == {"1": "current"}


def test_a_folder_that_cannot_be_written_is_an_error(statehold, tmp_path):
    (tmp_path / "file").write_text("")
    assert "error:" in statehold("apps", "--data", tmp_path / "file" / "x", code=1)


def test_a_plugin_that_refuses_is_freed_all_the_same(statehold, samples, data, caplog):
    (data / "secrets").mkdir(parents=True)
    (data / "secrets" / "Scada_Password").write_text("let me in")
    (data / "secrets" / "Rates_URL").write_text("http://bank.example/?key=42")
    statehold("deploy", samples / "acme.bills")
    key = '{"Device": "oven", "Point": "heat"}'
    arguments = ["call", "acme.bills", "bills.Scada", "INSERT", "--scope", "COMMANDS", "--key", key]
    assert "9000.0 degrees" in statehold(*arguments, "--value", '{"Reading": 9000.0}', code=1)
    assert "still alive" not in caplog.text


def test_verbose_shows_what_storages_log(statehold, samples, data):
    (data / "secrets").mkdir(parents=True)
    (data / "secrets" / "Scada_Password").write_text("let me in")
    (data / "secrets" / "Rates_URL").write_text("http://bank.example/?key=42")
    text = statehold("deploy", samples / "acme.bills", "--verbose")
    assert "statehold.acme.bills.1.0.bills.Scada: reading the kitchens" in text


def test_errors_in_declarations_are_shown_by_a_deploy_as_by_a_check(
    statehold, machine, samples, data, tmp_path
):
    folder = shutil.copytree(samples / "acme.hello", tmp_path / "acme.hello")
    file = folder / "image/pkg/acme.example/hello/hello.vsql"
    file.write_text(file.read_text().replace("STATE(Greetings)", "STATE(Greetinks)"))
    text = statehold("deploy", folder, code=1)
    assert "^^^^^^^^^" in text
    assert text.count("Greetinks") == 2
    assert text.splitlines()[-1] == "error: acme.hello cannot be deployed: its declarations have 1 error"
    error = machine("deploy", folder, code=1)["error"]
    assert error["type"] == "CompileError"
    assert len(error["diagnostics"]) == 1
    assert data.exists()


@pytest.mark.parametrize("defect", ["StorageError", "ValueError"])
@pytest.mark.parametrize("options", [[], ["--json"], ["--debug"]], ids=str)
def test_no_error_of_a_storage_shows_a_secret(statehold, samples, data, tmp_path, capsys, defect, options):
    folder = shutil.copytree(samples / "acme.bills", tmp_path / "acme.bills")
    (code,) = folder.glob("image/pkg/acme.example/bills/storages/bills_scada/_scada.py")
    text = code.read_text()
    keep = text.replace(
        "        self._value =", "        self.told = ctx.config.Password.reveal()\n        self._value ="
    )
    code.write_text(
        f"{keep}\n\ndef _get(self, key):\n    raise {defect}('no: ' + self.told)\n\nScada.get = _get\n"
    )
    (data / "secrets").mkdir(parents=True)
    (data / "secrets" / "Scada_Password").write_text("let me in")
    (data / "secrets" / "Rates_URL").write_text("http://bank.example/?key=42")
    statehold("deploy", folder)
    key = '{"Device": "oven", "Point": "heat"}'
    arguments = ["call", "acme.bills", "bills.Scada", "GET", "--scope", "QUERIES", "--key", key]
    assert run([*arguments, *options]) == 1
    told = "".join(capsys.readouterr())
    assert "no: ***" in told
    assert "let me in" not in told


@pytest.mark.usefixtures("hello")
def test_what_is_in_quarantine_is_listed_shown_with_its_app_and_lifted(statehold, machine, data):
    leak = FreedPlugin(
        distribution="hello-devices",
        version="1",
        sha256="0" * 64,
        survivors=("class devices.Device, held by KEEP in module 'json'", "module devices"),
    )
    assert "0 plugins in quarantine" in statehold("quarantine", "list")
    with Host(data, apps=()) as host:
        host.quarantine.freed("acme.hello", [leak])
    assert "hello-devices 1 did not die when it was freed, 1 time in a row" in statehold("apps")
    with Host(data, apps=()) as host:
        for _ in range(2):
            host.quarantine.freed("acme.hello", [leak])
    shown = statehold("quarantine", "list")
    assert "acme.hello  hello-devices 1  since 20" in shown
    assert "    class devices.Device, held by KEEP in module 'json'\n    module devices\n" in shown
    (found,) = machine("quarantine", "list")["quarantine"]
    assert (found["app"], found["distribution"], found["frees"]) == ("acme.hello", "hello-devices", 3)
    (app,) = machine("apps")["apps"]
    assert app["quarantine"] == [one["distribution"] for one in app["survivors"]] == ["hello-devices"]
    assert "acme.hello: in quarantine" in statehold("apps")
    assert "is not in quarantine here for acme.other" in statehold(
        "quarantine", "lift", "hello-devices", "--app", "acme.other", code=1
    )
    assert "may run in the host's process again" in statehold("quarantine", "lift", "hello-devices")
    assert machine("quarantine", "list")["quarantine"] == []
    assert machine("apps")["apps"][0]["quarantine"] == []


@pytest.mark.usefixtures("data")
def test_apps_say_what_runs_apart_and_what_the_sandbox_lacks(statehold, machine, samples, monkeypatch):
    statehold("deploy", samples / "acme.meter")
    (app,) = machine("apps")["apps"]
    (version,) = app["versions"]
    assert version["isolation"]["meter.Meter"] == "wasm"
    assert (version["state"], version["open"], version["answers"]) == ("current", False, 0)
    assert "wasm: meter.Meter" in statehold("apps")
    assert machine("apps")["lacking"] == []
    monkeypatch.setattr(Host, "listing", lambda host: {**LISTING, "apps": [app]})
    assert "lacks a part of the sandbox that sidecars are shut in with: landlock: too old" in statehold(
        "apps"
    )
