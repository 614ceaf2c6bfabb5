"""Executables that speak the protocol themselves: well, badly, or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from statehold.loading.sidecar import Limits, Reason, SidecarError, SidecarPlugin, Sidecars
from statehold.sdk import Provider, StorageLogger
from statehold.testing import OpenStorage, StorageConformance, open_storage

SPEAKER = Path(__file__).with_name("speaker.py").read_text(encoding="utf-8")
SHORT = Limits(deadline=3.0)

Load = Callable[..., SidecarPlugin]


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable} -IB\n{text}", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def load(shared: Sidecars, tmp_path: Path) -> Iterator[Load]:
    with ExitStack() as stack:

        def make(deed: str = "none", text: str | None = None, **options: object) -> SidecarPlugin:
            speaker = SPEAKER.replace('DEED = "none"', f"DEED = {deed!r}") if text is None else text
            path = script(tmp_path / "speaker", speaker)
            plugin = shared.load_executable(path, owner="acme.bills 1", **options)  # type: ignore[arg-type]
            return stack.enter_context(plugin)

        yield make


@pytest.fixture
def opened(load: Load) -> Iterator[Callable[..., OpenStorage]]:
    with ExitStack() as stack:

        def make(deed: str, **options: object) -> OpenStorage:
            plugin = load(deed, limits=SHORT)
            return stack.enter_context(open_storage(plugin.providers["Foreign"], **options))

        yield make


class TestForeign(StorageConformance):
    """A sidecar with one lane that knows nothing of Statehold."""

    callers = 4
    calls = 20
    examples = 10
    any_row = True
    ordered = True

    @pytest.fixture
    def provider(self, load: Load) -> Provider:
        return load().providers["Foreign"]


WRONG = ["garbage", "oversized", "late", "twice", "unknown", "typeless", "error", "bomb", "names"]


@pytest.mark.parametrize("deed", WRONG)
def test_an_answer_that_is_none_ends_the_sidecar_and_not_the_host(opened, deed: str) -> None:
    storage = opened(deed)
    with pytest.raises(SidecarError) as caught:
        storage.facade.get(storage.key(1, Name="a"))
    assert caught.value.reason is Reason.PROTOCOL


def test_an_answer_that_ends_half_way_is_a_crash(opened) -> None:
    storage = opened("truncated")
    with pytest.raises(SidecarError, match="exit status 5") as caught:
        storage.facade.get(storage.key(1, Name="a"))
    assert caught.value.reason is Reason.CRASHED


def test_an_answer_that_is_never_finished_is_past_its_deadline(opened) -> None:
    storage = opened("stuck")
    with pytest.raises(SidecarError) as caught:
        storage.facade.get(storage.key(1, Name="a"))
    assert caught.value.reason is Reason.DEADLINE


@pytest.mark.parametrize("deed", ["log", "deep log"])
def test_a_log_record_that_is_none_ends_the_sidecar(opened, deed: str) -> None:
    storage = opened(deed)
    with pytest.raises(SidecarError, match="log record that is none"):
        storage.facade.get(storage.key(1, Name="a"))


def test_chunks_of_no_rows_do_not_keep_a_read_for_ever(opened) -> None:
    storage = opened("rowless")
    with pytest.raises(SidecarError, match="a chunk of no rows") as caught:
        list(storage.facade.read(storage.key(1, Name="a")))
    assert caught.value.reason is Reason.PROTOCOL


def test_a_sidecar_that_answers_in_another_version_of_the_protocol_is_told_so(load: Load) -> None:
    with pytest.raises(SidecarError, match="in common with this host: it answers in version 7") as caught:
        load(text=SPEAKER.replace("VERSION = 1", "VERSION = 7"))
    assert caught.value.reason is Reason.START
    assert "the host speaks 1" in caught.value.message


def test_a_sidecar_that_speaks_no_version_of_the_host_s_says_which_it_speaks(load: Load) -> None:
    said = "the host speaks 1, this sidecar speaks 2"
    refusal = f'say([ERROR, number, {{"type": "ValueError", "message": {said!r}}}])'
    told = SPEAKER.replace('say([OK, number, {"version": VERSION, "features": FEATURES}])', refusal)
    with pytest.raises(SidecarError, match=f"it says '{said}', the host speaks 1") as caught:
        load(text=told)
    assert caught.value.reason is Reason.START


def test_what_does_not_speak_the_protocol_at_all_is_told_with_what_it_wrote(load: Load) -> None:
    with pytest.raises(SidecarError, match="usage: nothing"):
        load(text="import sys\nsys.exit('usage: nothing')\n")


def test_a_description_that_cannot_be_read_is_a_fault_of_the_sidecar(load: Load) -> None:
    with pytest.raises(SidecarError, match="describes itself in a way that cannot be read") as caught:
        load(text=SPEAKER.replace('"int64"', '"int65"'))
    assert caught.value.reason is Reason.PROTOCOL


CONFIG = '"name": "Foreign", "config": {"kind": "class", "name": NAME, "tag": None, "fields": [FIELD]},'
PLAIN = '["A", "A", True, {"kind": "StrType"}]'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"distribution": "foreign"', r'"distribution": "for\x00eign"'),
        ('"version": "1"', r'"version": "1\n2"'),
        ('"name": "Foreign",', r'"name": "For\x1b[2Jeign",'),
        ('"name": "Foreign",', '"name": "",'),
        ('["Name", "text"', r'["Na\x00me", "text"'),
        ('["Number", "int64"', r'["Num\x1b[2Jber", "int64"'),
        ('"name": "Foreign",', CONFIG.replace("NAME", r'"Con\x00fig"').replace("FIELD", PLAIN)),
        ('"name": "Foreign",', CONFIG.replace("NAME", r'"Con\x1bfig"').replace("FIELD", PLAIN)),
        ('"name": "Foreign",', CONFIG.replace("NAME", '"C"').replace("FIELD", PLAIN.replace("A", r"A\x00"))),
        ('"name": "Foreign",', '"name": "Foreign", "description": "x" * 20_000,'),
    ],
)
def test_names_with_control_characters_in_a_description_are_a_fault_of_the_sidecar(
    load: Load, before: str, after: str
) -> None:
    assert before in SPEAKER
    with pytest.raises(SidecarError, match="describes itself in a way that cannot be read") as caught:
        load(text=SPEAKER.replace(before, after))
    assert caught.value.reason is Reason.PROTOCOL
    assert str(caught.value).isprintable()


def test_a_file_of_another_digest_is_not_started(load: Load) -> None:
    with pytest.raises(SidecarError, match="is not the file expected"):
        load(sha256="0" * 64)


def test_what_an_executable_logs_arrives(opened, logger: StorageLogger, records) -> None:
    opened("none", logger=logger)
    assert records.wait_for("opened test.Foreign").levelno == 20
