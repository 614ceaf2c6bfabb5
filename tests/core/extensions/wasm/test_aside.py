from __future__ import annotations

import contextvars
import gc
import signal
import threading
import weakref

import pytest

from statehold.loading.wasm.machine._aside import aside


def test_on_the_main_thread_a_call_has_a_thread_of_its_own():
    assert aside(threading.get_ident) != threading.get_ident()


def test_on_any_other_thread_a_call_stays_where_it_is():
    found = []
    thread = threading.Thread(
        target=lambda: found.extend([aside(threading.get_ident), threading.get_ident()])
    )
    thread.start()
    thread.join()
    assert found[0] == found[1]


def test_what_the_call_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        aside(lambda: 1 / 0)


def test_what_the_call_raised_is_let_go_of_without_the_garbage_collector():
    class Thing:
        pass

    gc.disable()
    try:
        thing = Thing()
        seen = weakref.ref(thing)

        def fail(thing=thing):
            raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011 - of our own
            aside(fail)
        del thing, fail
        assert seen() is None
    finally:
        gc.enable()


def test_the_call_sees_the_context_of_who_made_it():
    variable = contextvars.ContextVar("variable", default="outside")
    variable.set("inside")
    assert aside(variable.get) == "inside"


def test_an_interrupt_is_raised_after_the_call_has_ended(interrupts):
    ended = []

    def run():
        interrupts()
        ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        aside(run)
    assert ended == [True]


def test_an_interrupt_while_a_guest_calls_the_host_is_not_lost(stage, wat, interrupts):
    stage.put("t.Things", None, {"Id": 1}, Number=5)
    stage.memory["t.Things"].slow = interrupts
    guest = wat()
    body = "(drop (call $hostValueAsInt64 (local.get $v) {Number}))" * 100
    guest.add("Do", guest.key("t.Things", Id=1) + "(local.set $v (call $hostGetValue (local.get $k)))" + body)
    engine = stage.load(guest)
    for _ in range(30):
        with pytest.raises(KeyboardInterrupt):
            stage.run(engine)
    stage.memory["t.Things"].slow = lambda: None
    stage.run(engine)


@pytest.fixture
def interrupts():
    """Return what raises KeyboardInterrupt on the main thread, and waits until that has happened."""
    came = threading.Event()

    def handle(_number, _frame):
        came.set()
        raise KeyboardInterrupt

    def interrupt():
        came.clear()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        assert came.wait(60)

    before = signal.signal(signal.SIGINT, handle)
    yield interrupt
    signal.signal(signal.SIGINT, before)
