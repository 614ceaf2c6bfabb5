from __future__ import annotations

import threading

from statehold.cli import _spinner
from statehold.cli._spinner import Spinner


def test_what_is_done_in_a_moment_shows_nothing(capsys):
    with Spinner("building") as spinner:
        spinner.tell("packing")
    assert capsys.readouterr() == ("", "")


def test_what_takes_longer_shows_what_it_does_on_stderr(capsys, monkeypatch):
    monkeypatch.setattr(_spinner, "_MOMENT", 0)
    monkeypatch.setattr(_spinner, "_TURN", 0.001)
    monkeypatch.setenv("FORCE_COLOR", "1")
    turning = threading.Event()
    monkeypatch.setattr(
        "rich.progress.Progress.update", lambda *_, description, **__: turning.set() or shown.add(description)
    )
    shown = set()
    with Spinner("building") as spinner:
        spinner.tell("packing [1]")
        assert turning.wait(60)
    out, err = capsys.readouterr()
    assert out == ""
    assert "building" in err
    assert "building: packing [1]" in shown
