from __future__ import annotations

import threading

import pytest

from statehold.rows._pool import Pool


class Closed(Exception):
    pass


def pool(size=2, make=object):
    closed = []
    return Pool(make, closed.append, size=size, closed=Closed), closed


def test_items_are_made_as_needed_and_used_again():
    items, _ = pool()
    one = items.take()
    items.give(one)
    assert items.take() is one
    assert items.take() is not one


def test_who_asks_for_too_many_waits_for_one():
    items, _ = pool(size=1)
    one, got = items.take(), []
    waiter = threading.Thread(target=lambda: got.append(items.take()))
    waiter.start()
    items.give(one)
    waiter.join(60)
    assert got == [one]


def test_who_waits_gets_a_new_one_for_a_dropped_one():
    items, closed = pool(size=1)
    one, got = items.take(), []
    waiter = threading.Thread(target=lambda: got.append(items.take()))
    waiter.start()
    items.drop(one)
    waiter.join(60)
    assert closed == [one]
    assert got
    assert got != [one]


def test_one_that_cannot_be_made_leaves_its_place():
    fails = [True]

    def make():
        if fails.pop():
            raise OSError("no")
        return object()

    items, _ = pool(size=1, make=make)
    with pytest.raises(OSError, match="no"):
        items.take()
    fails.append(False)
    assert items.take()


def test_close_waits_for_all_and_closes_them():
    items, closed = pool()
    one, two = items.take(), items.take()
    items.give(one)
    closer = threading.Thread(target=items.close)
    closer.start()
    while not items._is_closed:
        pass
    with pytest.raises(Closed):
        items.take()
    items.give(two)
    closer.join(60)
    assert sorted(map(id, closed)) == sorted(map(id, [one, two]))
    items.close()
