from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from statehold.cli import _main, run
from statehold.cli._group import cli

COMMANDS = sorted(cli.list_commands(click.Context(cli)))


def test_without_a_command_the_help_is_shown_in_sections(statehold):
    text = statehold("--help")
    assert [line for line in text.splitlines() if line.endswith(":")] == [
        "Options:",
        "Write:",
        "Images:",
        "Trust:",
        "Operate:",
        "Run:",
        "More:",
        "Plugins:",
    ]
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(statehold, name):
    text = statehold(name, "--help")
    assert text.startswith(f"Usage: statehold {name}")
    assert "\b" not in text


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "statehold", "--version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("statehold 0.")


def test_an_unknown_command_is_a_usage_error_that_names_the_nearest(statehold):
    assert "Did you mean 'deploy'?" in statehold("deplyo", code=2)


def test_wrong_usage_is_json_where_json_was_asked_for(machine):
    error = machine("deplyo", code=2)["error"]
    assert error["type"] == "UsageError"
    assert "deploy" in error["message"]


def test_the_word_json_behind_two_dashes_is_no_option(capsys):
    assert run(["verify", "--", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_interrupting_ends_with_130(monkeypatch, capsys):
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(_main.cli, "main", interrupt)
    assert run(["apps"]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.fixture
def _broken(monkeypatch):
    def fail(*_args, **_kwargs):
        raise ZeroDivisionError("no luck")

    monkeypatch.setattr(_main.cli, "main", fail)


@pytest.mark.usefixtures("_broken")
def test_a_defect_is_one_line_without_a_traceback(statehold):
    text = statehold("apps", code=1)
    assert "unexpected ZeroDivisionError: no luck" in text
    assert "--debug" in text


@pytest.mark.usefixtures("_broken")
def test_debug_shows_the_traceback(capsys):
    assert run(["apps", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["storages"], 1, "error: No space left on device\n"),
        (["storages", "--json"], 1, "error: No space left on device\n"),
        (["deplyo", "--json"], 2, "Did you mean 'deploy'?\n"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_on_stderr(arguments, code, says):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "statehold", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == code
    assert done.stderr.endswith(says)
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_early_ends_a_command_quietly():
    command = [sys.executable, "-m", "statehold", "storages"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(statehold, shell):
    assert "_STATEHOLD_COMPLETE" in statehold("completion", shell)


def test_no_color_means_none(monkeypatch, statehold):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in statehold("storages")


def test_colors_can_be_forced(monkeypatch, statehold):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in statehold("storages")
