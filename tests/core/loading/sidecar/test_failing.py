from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from wild_use import do

from statehold.loading.sidecar import Limits, Reason, SidecarError
from statehold.loading.sidecar.host._lane import LaneFault
from statehold.loading.sidecar.host._storage import SidecarStorage
from statehold.sdk import FreedError, Key, PluginError, SchemaError, StorageError, Value
from statehold.testing import OpenStorage

Wild = Callable[..., OpenStorage]
SHORT = Limits(deadline=2.0)


def failing(opened: OpenStorage, what: str) -> SidecarError:
    with pytest.raises(SidecarError) as caught:
        do(opened, what)
    return caught.value


def test_a_crash_tells_how_the_process_ended_and_what_it_wrote_last(wild: Wild) -> None:
    opened = wild()
    do(opened, "warn something is odd")
    error = failing(opened, "exit 3")
    assert error.reason is Reason.CRASHED
    assert "exit status 3" in str(error)
    assert not error.unknown


def test_a_signal_is_told_in_words(wild: Wild) -> None:
    error = failing(wild(), "segv")
    assert "SIGSEGV (Segmentation fault)" in str(error)
    assert "string_at" in str(error), "the traceback at the end is among the last lines"


def test_after_a_crash_the_storage_is_opened_again_and_answers(wild: Wild) -> None:
    opened = wild()
    before = do(opened, "pid")
    failing(opened, "exit 1")
    assert do(opened, "pid") != before
    assert do(opened, "eval ctx.storage") == "test.Wild"


def test_a_get_that_a_crash_has_lost_is_asked_again(wild: Wild, tmp_path: Path) -> None:
    assert do(wild(), f"die-once {tmp_path / 'died'}") == "again"


def test_a_batch_that_a_crash_has_lost_is_asked_again(wild: Wild, tmp_path: Path) -> None:
    opened = wild()
    found = opened.facade.get_batch([opened.key(1, What=f"die-once {tmp_path / 'died'}")])
    assert [one["Text"] for one in found if one is not None] == ["again"]


def test_a_read_that_a_crash_has_lost_before_its_first_row_is_asked_again(wild: Wild, tmp_path: Path) -> None:
    opened = wild()
    rows = list(opened.facade.read(opened.key(1, What=f"die-once {tmp_path / 'died'}")))
    assert [value["Text"] for _, value in rows] == ["again"]


def test_a_change_that_a_crash_has_lost_is_not_repeated_and_may_have_happened(
    wild: Wild, tmp_path: Path
) -> None:
    opened = wild()
    with pytest.raises(SidecarError, match="not known") as caught:
        opened.insert(opened.key(1, What="a"), opened.value(Text=f"die-once {tmp_path / 'died'}"))
    assert caught.value.unknown
    assert do(opened, "a") is None


def test_a_call_past_its_deadline_ends_the_process(wild: Wild) -> None:
    opened = wild(limits=SHORT)
    before = do(opened, "pid")
    error = failing(opened, "hang")
    assert error.reason is Reason.DEADLINE
    assert "2 s" in str(error)
    assert do(opened, "pid") != before


def test_a_stopped_process_is_ended(wild: Wild) -> None:
    opened = wild(limits=SHORT)
    assert failing(opened, "stop").reason is Reason.DEADLINE
    assert do(opened, "pid")


def test_who_was_in_the_same_process_as_a_call_past_its_deadline_is_told_so(wild: Wild) -> None:
    opened = wild(limits=Limits(deadline=2.0))
    errors: list[SidecarError] = []

    def change() -> None:
        try:
            opened.insert(opened.key(1, What="b"), opened.value(Text="hang"))
        except SidecarError as error:
            errors.append(error)

    threads = [threading.Thread(target=change) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {error.reason for error in errors} <= {Reason.DEADLINE, Reason.CRASHED}
    assert all(error.unknown for error in errors)
    assert len(errors) == 2


def test_a_value_that_does_not_fit_the_schema_ends_the_process(wild: Wild) -> None:
    opened = wild()
    error = failing(opened, "wrong")
    assert error.reason is Reason.PROTOCOL
    assert "Expected `str | null`, got `int`" in str(error)
    assert do(opened, "pid")


def test_an_answer_of_a_few_mebibytes_arrives(wild: Wild) -> None:
    assert do(wild(), f"big {5 << 20}") == "x" * (5 << 20)


def test_an_answer_that_is_too_long_is_an_error_of_that_call_alone(wild: Wild) -> None:
    opened = wild()
    before = do(opened, "pid")
    with pytest.raises(StorageError, match="can be sent at most"):
        do(opened, f"big {65 << 20}")
    assert do(opened, "pid") == before


def test_an_answer_of_too_many_values_is_an_error_of_that_call_alone(wild: Wild) -> None:
    opened = wild(limits=Limits(deadline=30.0))
    before = do(opened, "pid")
    with pytest.raises(StorageError, match="of more than 1048576 values"):
        opened.storage.get_batch([opened.key(1, What="nothing there, or close to it")] * 1_100_000)
    assert do(opened, "pid") == before


@pytest.mark.parametrize("what", [None, 5, [], [200], ["200", "text"], [200, 5], [200, "text", 1]])
def test_a_response_that_is_none_is_an_error_of_the_storage(what: object) -> None:
    def response(status: int, text: str) -> None:
        raise AssertionError("it is none")

    codec: Any = SimpleNamespace(key_class=Key, value_class=Value)
    storage = SidecarStorage("test.Wild", cast("Any", None), 1, [codec], None)
    storage._call = cast("Any", SimpleNamespace(result=None, response=response))
    with pytest.raises(StorageError, match=r"test\.Wild: .* a response that is none"):
        storage._take_effects([("response", what)])


def test_a_question_that_is_too_long_is_an_error_of_that_call_alone(wild: Wild) -> None:
    opened = wild()
    before = do(opened, "pid")
    with pytest.raises(StorageError, match="cannot be sent"):
        do(opened, "x" * (65 << 20))
    assert do(opened, "pid") == before


def test_calls_fail_at_once_when_the_sidecar_fails_too_often(wild: Wild) -> None:
    opened = wild(limits=Limits(deadline=60.0))
    reasons = []
    while Reason.BROKEN not in reasons:
        reasons.append(failing(opened, "exit 1").reason)
        assert len(reasons) < 10
    assert reasons[0] is Reason.CRASHED


def test_errors_of_the_sdk_come_back_as_they_are(wild: Wild) -> None:
    with pytest.raises(StorageError, match=r"^no. Do it$") as caught:
        do(wild(), "raise StorageError")
    assert type(caught.value) is StorageError
    assert (caught.value.message, caught.value.hint) == ("no", "Do it")


def test_an_error_of_a_subclass_comes_back_as_what_the_host_knows(wild: Wild) -> None:
    with pytest.raises(StorageError, match=r"^mine$"):
        do(wild(), "raise own")


def test_an_error_with_attributes_keeps_them(wild: Wild) -> None:
    with pytest.raises(SchemaError) as caught:
        do(wild(), "schema")
    assert (caught.value.storage, caught.value.field) == ("test.Wild", "Nonsense")


def test_builtin_errors_come_back_as_they_are(wild: Wild) -> None:
    opened = wild()
    with pytest.raises(KeyError, match="'k'"):
        do(opened, "raise KeyError")
    with pytest.raises(FileNotFoundError) as caught:
        do(opened, "raise OSError")
    assert caught.value.filename == "/x"


@pytest.mark.parametrize(("what", "text"), [("foreign", "Foreign: far"), ("exit", "SystemExit: 4")])
def test_other_errors_come_back_as_a_plugin_error_with_their_name(wild: Wild, what: str, text: str) -> None:
    with pytest.raises(PluginError, match=text):
        do(wild(), f"raise {what}")


def test_a_refused_change_is_the_storage_s_own_error(wild: Wild) -> None:
    opened = wild()
    with pytest.raises(StorageError, match="refused"):
        opened.insert(opened.key(1, What="refused"), opened.value(Text=""))


def test_a_freed_plugin_answers_no_more(wild: Wild, shared, wild_file) -> None:
    from statehold.testing import open_storage

    plugin = shared.load_file(wild_file, owner="acme.bills 1")
    with open_storage(plugin.providers["Wild"]) as opened:
        plugin.free()
        with pytest.raises(FreedError, match="has been freed"):
            do(opened, "pid")
    with pytest.raises(FreedError, match="has been freed"):
        plugin.providers  # noqa: B018


def test_a_process_that_ends_just_when_it_has_been_started_again_is_followed_by_another(
    wild: Wild, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = wild()
    group = cast("SidecarStorage", opened.storage).group
    use, ended = group._keeper._use, []

    def end_first(process: Any) -> None:
        if not ended:
            ended.append(process)
            process.condemn(LaneFault(Reason.CRASHED, "ended"))
        use(process)

    monkeypatch.setattr(group._keeper, "_use", end_first)
    failing(opened, "exit 1")
    assert do(opened, "pid")
    assert ended
