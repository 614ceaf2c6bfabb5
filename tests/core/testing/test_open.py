from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from kit_memory import Memory, provider

from statehold.sdk import Provider, SchemaError, ScopeError, Secret, StorageContext
from statehold.testing import FakeClock, Work, assert_denied, context, open_storage


class Config(msgspec.Struct, forbid_unknown_fields=True):
    Url: str = "nowhere"
    Password: Secret = Secret("")


def test_an_opened_storage_is_used_as_an_extension_uses_it() -> None:
    with open_storage(provider()) as opened:
        key = opened.key(1, Device="d1", Point="p1", Number=1)
        opened.insert(key, {"Reading": 1.5, "At": 1})
        existing = opened.facade.get(key)
        opened.update(key, existing, {"At": 2})
        assert opened.facade.get(key) == opened.value(Reading=1.5, At=2)
        assert [at for at, _ in opened.facade.read(opened.prefix(1, Device="d1"))] == [key]


def test_a_storage_is_freed_after_its_background_work_ended_also_after_an_error() -> None:
    told: list[str] = []

    class Busy(Memory):
        def __init__(self, ctx: StorageContext) -> None:
            super().__init__(ctx)
            ctx.background(lambda stop: told.append(f"stopped {stop.wait(60)}"))

        def free(self) -> None:
            told.append("freed")

    with pytest.raises(ZeroDivisionError), open_storage(provider(Busy)):
        raise ZeroDivisionError
    assert told == ["stopped True", "freed"]


def test_a_context_is_what_a_host_gives() -> None:
    made = context(
        provider(config=Config),
        config={"Url": "here", "Password": "xyz"},
        secrets={"Token": "abc"},
        allowances={"network": ["127.0.0.1"]},
        partition=3,
    )
    assert made.storage == "test.Memory"
    assert made.logger.name == "statehold.test.app.1.3.test.Memory"
    assert made.config == Config(Url="here", Password=Secret("xyz"))
    assert made.secrets["Token"].reveal() == "abc"
    assert made.value(At=1) == made.value_class(None, None, 1)
    assert made.data_folder.is_dir()


def test_a_temporary_data_folder_goes_with_its_context(tmp_path: Path) -> None:
    folder = context(provider()).data_folder
    gc.collect()
    assert not folder.exists()
    assert context(provider(), data_folder=tmp_path).data_folder == tmp_path


def test_the_logger_hands_records_on_and_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    made = context(provider())
    made.logger.verbose("seen")
    assert caplog.messages == ["seen"]
    assert made.logger.name not in logging.Logger.manager.loggerDict


@pytest.mark.parametrize("given", [{"Url": 1}, {"Uri": "x"}, {"Password": 1}])
def test_a_wrong_config_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        context(provider(config=Config), config=given)


def test_a_schema_that_nobody_gives_is_asked_for() -> None:
    bare = Provider(name="Any", open=Memory, operations=["GET"])  # type: ignore[list-item]
    with pytest.raises(SchemaError, match=r"test\.Any: nobody says what KEY is.*pass key="):
        context(bare)


def test_what_the_provider_does_not_claim_is_denied() -> None:
    with open_storage(provider(operations=["GET"])) as opened:
        key = opened.key(1, Device="d1", Point="p1", Number=1)
        error = assert_denied(opened.facade.insert, key, {"At": 1})
        assert isinstance(error, ScopeError)
        with pytest.raises(AssertionError, match="to be denied with ScopeError, but it returned None"):
            assert_denied(opened.facade.get, key)


def test_a_clock_stands_still_until_it_is_turned() -> None:
    clock = FakeClock(1000.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (1002.5, 2.5)
    clock.time = 0.0
    assert (clock.now(), clock.monotonic()) == (0.0, 2.5)
    with pytest.raises(ValueError, match="expected seconds >= 0, got -1"):
        clock.advance(-1)


def test_work_waits_for_what_is_pending_and_names_what_does_not_end() -> None:
    work, done = Work(), threading.Event()

    def pending(leave: Callable[[], object]) -> None:
        with work.pending("flush"):
            entered.set()
            leave()

    entered = threading.Event()
    thread = threading.Thread(target=pending, args=(done.wait,))
    thread.start()
    entered.wait()
    assert work.end(timeout=0.01) == ("flush",)
    done.set()
    assert work.end() == ()
    thread.join()
    stuck = threading.Event()
    work.background(lambda _: stuck.wait() and None)
    assert work.end(timeout=0.01) == ("thread statehold-background",)
    stuck.set()
    assert work.end() == ()
