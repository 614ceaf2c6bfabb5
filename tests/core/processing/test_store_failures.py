from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from statehold.processing import StoreError, failure
from statehold.rows import (
    MemoryDriver,
    RowStoreError,
    StoreFullError,
    StoreUnavailableError,
)


@pytest.fixture
def failing(open_shop):
    """Return a shop, and what lets the next writes of its row store fail."""
    # On a busy machine, no batch is to end before its time.
    shop = open_shop(rows=MemoryDriver(), runtime={"settings": {"batch_seconds": 60.0}})
    store = shop.host.app("acme.shop").data.store
    write, errors = store.write, []

    def broken(changes):
        if errors and errors[0][2] in (None, threading.get_ident()):
            error, after, _ = errors.pop(0)
            if after:
                write(changes)
            raise error
        return write(changes)

    store.write = broken

    def fail(error, *, after=False, times=1, here=False):
        """Let the next writes fail; those of this thread alone, where it is *here*."""
        errors.extend([(error, after, threading.get_ident() if here else None)] * times)

    return shop, fail


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RowStoreError("the disk is on fire"), 503),
        (StoreFullError("the disk is full"), 507),
        (StoreUnavailableError("the server is gone"), 503),
    ],
)
def test_a_store_that_fails_fails_the_command_and_the_partition_goes_on(failing, error, status):
    shop, fail = failing
    offset = shop.sell().offset
    shop.caught_up()
    fail(error)
    with pytest.raises(StoreError, match="the row store failed, nothing of it is stored: the") as caught:
        shop.sell()
    assert (caught.value.status, caught.value.unknown) == (status, False)
    assert failure(caught.value).retry_after == 1.0
    assert shop.sell().offset == offset + 1
    assert shop.caught_up()
    assert shop.rows("Stock")["pen"]["Sold"] == shop.rows("Turnover")["pen"]["Sold"] == 2


def test_a_commit_of_which_nobody_knows_is_told_as_that(failing):
    shop, fail = failing
    offset = shop.sell().offset
    shop.caught_up()
    fail(StoreUnavailableError("the line broke", unknown=True), after=True)
    with pytest.raises(StoreError, match="it may have been stored or not") as caught:
        shop.sell()
    assert caught.value.unknown
    assert shop.sell().offset == offset + 2
    assert shop.caught_up()
    assert shop.rows("Stock")["pen"]["Sold"] == shop.rows("Turnover")["pen"]["Sold"] == 3


def test_all_commands_of_the_batch_fail_and_each_is_told(failing, probe):
    shop, fail = failing
    began, go = threading.Event(), threading.Event()
    probe.hooks["nothing"] = lambda _: (began.set(), go.wait(60))
    holder = threading.Thread(target=shop.runtime.command, args=(shop.request(), "shop.Nothing"))
    holder.start()
    assert began.wait(60)
    answers, done = [], threading.Semaphore(0)
    for _ in range(5):
        shop.runtime.submit(
            shop.request(),
            "shop.Sell",
            {"Article": "pen", "Amount": 1},
            then=lambda answer: (answers.append(answer), done.release()),
        )
    failed = []
    # A projector that sees what was committed before writes, too.
    probe.hooks["sell"] = lambda _: failed or failed.append(fail(StoreFullError("full"), here=True))
    go.set()
    for _ in range(5):
        assert done.acquire(timeout=60)
    holder.join(60)
    assert [type(answer) for answer in answers] == [StoreError] * 5
    assert "pen" not in shop.rows("Stock")
    assert shop.sell().result.Total == 1


def test_a_projector_goes_on_when_the_store_does(failing, quiet):
    shop, fail = failing
    shop.sell()
    assert shop.caught_up()
    stop = threading.Event()

    def client():
        while not stop.is_set():
            with suppress(StoreError):
                shop.sell()

    thread = threading.Thread(target=client)
    thread.start()
    for _ in range(20):
        fail(StoreFullError("full"))
        stop.wait(0.005)
    stop.set()
    thread.join(60)
    assert shop.caught_up()
    assert shop.rows("Stock")["pen"]["Sold"] == shop.rows("Turnover")["pen"]["Sold"]
