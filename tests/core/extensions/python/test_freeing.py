"""Freeing an engine removes every trace of the image's code from the process."""

from __future__ import annotations

import linecache
import logging
import sys
import traceback

import pytest

from statehold.extensions import CodeError, open_engines
from statehold.sdk import DeployError, Scope

CODE = """
import dataclasses, enum, functools, logging
import msgspec

class Colour(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Plain:
    value: int

class Row(msgspec.Struct):
    plain: Plain

@functools.lru_cache
def cached(x):
    return Plain(x)

log = logging.getLogger(__name__)

@extension
def bill(call):
    yield {"Total": cached(1).value}
@extension
def count_turnover(call): raise ValueError("no")
@extension
def pay_bill(call):
    log.info("pay")
    call.Bills.insert(Number=1, Waiter="ann")
    return {"Total": msgspec.json.decode(b'{"plain": {"value": 1}}', type=Row).plain.value}
"""


@pytest.fixture
def marked():
    """Return what names the process knows of the app beside those that it knew before."""

    def names():
        known = [*sys.modules, *linecache.cache, *logging.Logger.manager.loggerDict]
        return {name for name in known if "bills__plugin" in name or "acme.bills-1" in name}

    before = names()
    return lambda: names() - before


def test_an_engine_that_ran_every_kind_leaves_nothing_behind(start, marked):
    running = start(CODE)
    for name in ("bills.PayBill", "bills.Bill", "bills.RefreshRates"):
        running.intents(name)
    with pytest.raises(CodeError) as caught:
        running.run("bills.CountTurnover")
    assert "raise ValueError" in "".join(traceback.format_exception(caught.value))
    del caught
    assert marked()
    (report,) = running.engines.free()
    assert "bills.extensions.bills" in report.modules
    assert [str(survivor) for survivor in report.survivors] == []
    assert not marked()
    assert running.engines.free() == [report]


def test_an_engine_that_cannot_be_opened_leaves_nothing_behind(start, marked):
    for bad in ("raise ValueError", "from .nope import x", "x = ("):
        with pytest.raises(DeployError):
            start(CODE, code={"bad.py": bad})
    assert not marked()


def test_what_does_not_die_is_told(start):
    kept = []
    running = start(CODE)
    kept.append(running.engines.of["bills.PayBill"]._code.import_module("bills.extensions.bills").cached)
    (report,) = running.engines.free()
    assert any("function bills.extensions.bills.bill" in str(each) for each in report.survivors)
    kept.clear()
    assert not report.survivors


THREAD = """
import threading
go, threads = threading.Event(), []

@extension
def bill(call): ...
@extension
def count_turnover(call): ...
@extension
def pay_bill(call):
    threads.append(threading.Thread(target=wait, name="left over", daemon=True))
    threads[-1].start()

def wait(): go.wait(60)
"""


def test_a_thread_that_the_code_has_left_is_told_by_name(start):
    running = start(THREAD)
    running.run("bills.PayBill")
    module = running.engines.of["bills.PayBill"].module("bills.extensions.bills")
    go, threads = module.go, module.threads
    del module
    (report,) = running.engines.free()
    assert report.threads == ("left over",)
    assert report.survivors
    go.set()
    threads.pop().join(30)
    del threads, go
    assert report.threads == ()
    assert [str(each) for each in report.survivors] == []


@pytest.mark.soak
def test_300_versions_one_after_the_other_leave_nothing_behind(make, marked):
    stage = make({"bills.py": f"from statehold.sdk import extension\n{CODE}"})
    reports, kept = [], None
    for number in range(300):
        engines = open_engines(stage.context(version=str(number)))
        state = stage.state("bills.PayBill")
        engines.of["bills.PayBill"].invoke(
            "bills.PayBill", state, state.call, partition=0, kind=Scope.COMMANDS
        )
        # The next version is there before the last one goes, as when a host deploys.
        if kept is not None:
            reports += kept.free()
        kept = engines
    reports += kept.free()
    assert len(reports) == 300
    assert [each for report in reports for each in report.survivors] == []
    assert not marked()
