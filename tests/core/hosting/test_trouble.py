from __future__ import annotations

from statehold.hosting._trouble import Trouble

HIDING = Trouble(lambda text: text.replace("hunter2", "***"))


def caught(text):
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_an_error_is_told_in_one_line_with_its_place():
    line = HIDING.line(caught("no such device"))
    assert line.startswith("ValueError: no such device (")
    assert "test_trouble.py:" in line


def test_an_error_without_message_or_place_is_told_by_its_type():
    assert HIDING.line(KeyError()) == "KeyError"


def test_an_error_that_cannot_tell_its_message_is_told_by_its_type():
    class Mute(Exception):
        def __str__(self):
            raise SystemExit(3)

    assert HIDING.line(Mute()) == "Mute: its message cannot be told: SystemExit"


def test_a_cause_is_kept_unless_its_traceback_shows_a_secret():
    harmless, telling = caught("no such device"), caught("password hunter2")
    assert HIDING.cause(harmless) is harmless
    assert HIDING.cause(telling) is None
