"""What commands tell of files that are served, and what is asked of their mount."""

from __future__ import annotations

import random
import shutil
import signal
import threading
from collections.abc import Callable

import msgspec
import pytest
import qsfs_mounts
from qsfs_stacks import BACKENDS, bring_back, config, read, take_away, write

from statehold.cli import Output, run
from statehold_qsfs.commands import _serve
from statehold_qsfs.commands._checks import store_checks
from statehold_qsfs.files import FileSystem, Report
from statehold_qsfs.protection import Figures
from statehold_qsfs.stack import Stack, restore_stack

DATA = random.Random(6).randbytes(1_500_000)
CALM = msgspec.convert(
    dict.fromkeys(Figures.__struct_fields__, 0) | {"problem": "", "fenced": False, "limit_bytes": 2**30},
    Figures,
)
WAITS = msgspec.structs.replace(
    CALM, pending_bytes=2048, pending_segments=1, oldest_seconds=3.0, problem="no answer"
)
FENCED = msgspec.structs.replace(WAITS, fenced=True, problem="other has taken over")


class Ending:
    """A stack that tells, one after another, how it is, until it has stopped."""

    def __init__(self, *told: Figures) -> None:
        self.told = told

    def stop(self, progress: Callable[[Figures], None], _: threading.Event) -> Figures:
        for each in self.told:
            progress(each)
        return self.told[-1]


def said(capsys: pytest.CaptureFixture[str], *told: Figures) -> str:
    _serve._stop(Output(), Ending(*told), threading.Event())
    return " ".join(capsys.readouterr().err.split())


def test_what_still_waits_is_told_again_and_again_where_no_terminal_shows_it(monkeypatch, capsys):
    """Under a supervisor, and after the mount is gone, nobody could ask for it."""
    monkeypatch.setattr(_serve, "_TOLD_EVERY", 3600.0)
    assert said(capsys, WAITS, CALM) == ""  # over in a moment
    monkeypatch.setattr(_serve, "_TOLD_EVERY", 0.0)
    told = said(capsys, WAITS, WAITS, CALM)
    assert told.count("2.0 KiB of 1 segments wait to be sent, for 3 s: no answer") == 2


def test_what_is_left_is_sent_later_unless_another_machine_has_taken_over(capsys):
    assert "sent after the next start" in said(capsys, WAITS)
    fenced = said(capsys, FENCED)
    assert "nothing is sent any more: other has taken over" in fenced
    assert "next start" not in fenced


def test_a_problem_is_told_also_when_nothing_waits():
    assert _serve.waiting(CALM) == "everything is in the store"
    told = _serve.waiting(msgspec.structs.replace(CALM, problem="an object lacks redundancy in the store"))
    assert told == "everything is in the store; an object lacks redundancy in the store"


@pytest.mark.parametrize("window", [1.0, 600.0])
def test_what_programs_wrote_is_taken_from_the_kernel_well_within_the_window(tmp_path, monkeypatch, window):
    qsfs_mounts.needed()
    from statehold_qsfs.mount import _serving

    asked = {}
    monkeypatch.setattr(_serving, "serve", lambda *_, **options: asked.update(options))
    config(tmp_path, window=window)
    (tmp_path / "point").mkdir()
    with (tmp_path / "machine.toml").open("a") as file:
        file.write('[mount]\npoint = "point"\n')
    assert run(["qsfs", "serve", str(tmp_path / "machine.toml")]) == 0
    assert 0 < asked["pages_every"] <= min(window / 2, 4)


@pytest.mark.parametrize(("second", "told"), [(0.0, ["end", "again"]), (3600.0, ["end"])])
def test_a_second_signal_is_heard_while_it_is_unmounted_unless_it_is_the_first_one_twice(
    monkeypatch, second, told
):
    qsfs_mounts.needed()
    from statehold_qsfs.mount import _serving

    monkeypatch.setattr(_serving, "_SECOND", second)
    heard: list[str] = []
    with _serving._ended_by_signals(lambda: heard.append("end"), lambda: heard.append("again")):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert heard == told


def test_nobody_who_listens_is_needed(monkeypatch):
    def gone(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(_serve, "_TOLD_EVERY", 0.0)
    monkeypatch.setattr(Output, "warn", gone)
    _serve._stop(Output(), Ending(WAITS, CALM), threading.Event())


def test_a_doctor_looks_at_what_is_kept_in_a_zstor_too_by_its_configuration(tmp_path):
    described = config(tmp_path)
    place = tmp_path / "machine.toml"
    (none,) = store_checks(place, deep=False, repair=False)
    assert (none.good, none.mend) == (
        False,
        f"`statehold qsfs restore {place}` brings it back, if there was one",
    )
    with Stack(described) as stack:
        write(stack.files, "/a", DATA)
        (held,) = store_checks(place, deep=False, repair=False)
        assert not held.good
        assert "held by another process" in held.found
    shutil.rmtree(tmp_path / "machine")
    assert restore_stack(described).evicted
    (sound,) = store_checks(place, deep=True, repair=False)
    assert sound.good, sound.found
    assert f"{len(DATA):,} bytes: nothing is wrong" in sound.found
    place.write_text("[zstr]")
    (wrong,) = store_checks(place, deep=False, repair=False)
    assert not wrong.good
    assert "[zstr] is unknown" in wrong.found


def test_a_doctor_ends_also_when_the_backends_no_longer_answer(tmp_path, monkeypatch):
    """Whatever it mends is on the disk, and sent after the next start."""
    described = config(tmp_path)
    with Stack(described) as stack:
        write(stack.files, "/a", DATA)
    check = FileSystem.check

    def check_alone(files: FileSystem, **options: bool) -> Report:
        take_away(tmp_path, BACKENDS)
        write(files, "/b", DATA)
        return check(files, **options)

    monkeypatch.setattr(FileSystem, "check", check_alone)
    (sound,) = store_checks(tmp_path / "machine.toml", deep=True, repair=True)
    assert sound.good, sound.found
    bring_back(tmp_path, BACKENDS)
    with Stack(described) as stack:
        assert read(stack.files, "/b") == DATA
