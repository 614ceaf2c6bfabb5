from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from rich.text import Text

from statehold.cli import Teller, _teller, silence
from statehold.sdk import StateholdError


class Candle:
    """A picture of something that becomes shorter with each look."""

    def __init__(self) -> None:
        self.left = 3

    def look(self) -> Iterator[Text]:
        if self.left:
            self.left -= 1
            yield Text(f"{self.left} left")

    def table(self) -> Text:
        return Text("I" * self.left)


def test_what_happens_meanwhile_is_told_before_what_came_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    candle = Candle()
    with Teller(candle, quiet=False, color=None) as teller:
        teller.step("Light", "A candle is lit.")
        teller.wait("it is short", lambda: candle.left == 1)
        teller.note("it is [short] :x:")
        teller.show()
    told = capsys.readouterr().out.split("\n")
    assert [line.rstrip("─ ") for line in told if line] == [
        "1. Light",
        "A candle is lit.",
        "2 left",
        "1 left",
        "0 left",
        "  ✓ it is [short] :x:",
    ]
    assert teller.steps[0] | {"seconds": 0} == {
        "title": "Light",
        "notes": ["it is [short] :x:"],
        "seconds": 0,
    }


def test_what_is_waited_for_in_vain_ends_the_story_and_shows_the_picture(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_teller, "_PATIENCE", -1.0)
    with Teller(Candle(), quiet=True, color=None) as teller:
        teller.step("Wait", "")
        with pytest.raises(StateholdError, match="step 1 of the demo waited -1 s until it is long") as told:
            teller.wait("it is long", lambda: False)
    assert "II\n" in str(told.value.hint)
    assert capsys.readouterr().out == ""


def test_what_is_not_refused_ends_the_story() -> None:
    with Teller(Candle(), quiet=True, color=None) as teller:
        teller.step("Refuse", "")
        with pytest.raises(StateholdError, match="step 1 of the demo expected a third to be refused"):
            teller.refused("a third", lambda: None)


def test_what_is_logged_meanwhile_is_not_seen(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("statehold.test_teller")
    logger.propagate = False
    with silence(logger.name):
        logger.error("on purpose")
    logger.error("not on purpose")
    assert capsys.readouterr().err == "not on purpose\n"
