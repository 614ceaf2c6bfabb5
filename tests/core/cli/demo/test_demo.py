from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from statehold.cli import run
from statehold.cli.demo import _story, sample
from statehold.cli.demo._teller import Teller
from statehold.sdk import StateholdError


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Run the demo as a person does, and return what it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "statehold", "demo"],
        cwd=tmp_path_factory.mktemp("demo"),
        env={name: value for name, value in os.environ.items() if not name.startswith("STATEHOLD_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize(
    "part",
    [
        "1. Check",
        "COMMAND PayBill cannot use sys.Http in STATE",
        "2. Pack",
        "tampered.shi is refused",
        "3. Deploy version 1",
        "secret bills.Scada_Password is missing",
        "acme.bills 1 is current",
        "4. A denied operation",
        "bills.TableLocks CQ·· ···· ···· C··· ····",
        "may not READ sys.Http in COMMANDS: declared at sys.vsql",
        "Use it in a QUERY, PROJECTOR or JOB",
        "5. Commands, over HTTP",
        "Da Ada is workspace 65537",
        "It takes one of these roles: bills.Manager",
        'ada > POST .../commands/bills.OpenBill {"args": {"TableNumber": 207}}',
        '"Waiter": "ada", "Total": 305000}]}',
        "6. A job",
        "the bank has no rate for USD",
        '{"results": [{"Total": 329400, "Currency": "USD"}]}',
        "7. A projected view",
        "no projector is behind",
        '"Bills": 1, "Total": 305000}]}',
        "8. Version 2, while calls go on",
        "acme.bills 2 is current",
        "said 120000, then",
        "said 132000. None failed",
        "nothing of its code and plugin is left",
        "9. Stop and remove it",
        "acme.bills is gone",
        "statehold new app",
    ],
)
def test_the_story_has_every_part(story, part):
    assert part in " ".join(story.split())


def test_the_story_fits_80_columns_and_has_no_colors_in_a_pipe(story):
    assert "\x1b" not in story
    told = [line for line in story.splitlines() if "/tmp" not in line]
    assert [line for line in told if len(line) > 80] == []


def test_the_secret_is_never_told(story):
    assert story.count("let me in") == 1


def test_nothing_is_left_behind(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(["demo", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["steps"]) == 9
    assert list(tmp_path.iterdir()) == []
    assert Path.cwd() == tmp_path


def test_a_step_that_does_not_do_what_it_says_fails_the_demo(monkeypatch, capsys):
    original = Teller.run

    def doubt(self, command, **more):
        return original(self, command, **{**more, "says": "pigs fly"})

    monkeypatch.setattr(Teller, "run", doubt)
    assert run(["demo"]) == 1
    assert "pigs fly" in capsys.readouterr().err


def test_a_sample_that_is_not_installed_is_an_error():
    with pytest.raises(StateholdError, match="not installed"):
        sample("acme.nothing")
    assert (sample("acme.bills") / "descriptor.json").is_file()
    assert _story.tell.__doc__
