from __future__ import annotations

from collections.abc import Callable

import pytest

from statehold.rows import (
    Delete,
    Put,
    RowDriver,
    RowStore,
    RowStoreError,
    StoreBusyError,
    StoreClosedError,
    StoreExistsError,
    StoreHeldError,
    StoreMissingError,
)
from statehold.testing.rows._case import NAME, Case

P, C = ("p",), (1,)


class Keeping(Case):
    """Stores are made, opened, closed and removed, and keep their rows meanwhile."""

    def test_s1_make(self, driver: RowDriver) -> None:
        """A store is made once and opened where it is; names come sorted."""
        with pytest.raises(StoreMissingError, match=r"acme\.shop"):
            driver.open(NAME)
        assert driver.names() == []
        for name in (NAME, "b.b", "_1", "A-z.0"):
            driver.create(name).close()
        with pytest.raises(StoreExistsError, match=r"acme\.shop"):
            driver.create(NAME)
        driver.open(NAME).close()
        assert driver.names() == sorted([NAME, "b.b", "_1", "A-z.0"])

    @pytest.mark.parametrize(
        "name", ["", ".", "..", ".x", "-x", "a/b", "a\\b", "a b", "ä", "a\x00", "a" * 101]
    )
    def test_s2_no_name(self, driver: RowDriver, name: str) -> None:
        """What could be more than a name is none."""
        for call in (driver.create, driver.open, driver.remove):
            with pytest.raises(RowStoreError, match="store name"):
                call(name)

    def test_s3_apart(self, driver: RowDriver) -> None:
        """The rows of one store are in no other."""
        with driver.create("a.a") as one, driver.create("b.b") as other:
            one.write([Put(P, C, b"one")])
            other.write([Put(P, (2,), b"other")])
            assert list(one.read(P)) == [(C, b"one")]
            assert list(other.read(P)) == [((2,), b"other")]

    def test_s4_opened_twice(self, driver: RowDriver, store: RowStore) -> None:
        """A store that is open twice has one set of rows, and is closed twice."""
        with driver.open(NAME) as second:
            second.write([Put(P, C, b"x")])
            assert store.get(P, C) == b"x"
            store.write([Put(P, C, b"y")])
            assert second.get(P, C) == b"y"
        assert store.get(P, C) == b"y"

    def test_s5_closed(self, store: RowStore) -> None:
        """After `close` every call raises, also that of a READ under way; a second `close` does nothing."""
        store.write([Put(P, (n,), b"") for n in range(200)])
        reading = store.read(P)
        next(reading)
        store.close()
        store.close()
        for call in (
            lambda: store.get(P, C),
            lambda: store.get_many([(P, C)]),
            lambda: store.get_many([]),
            lambda: store.ttl(P, C),
            lambda: store.read(P),
            lambda: store.write([Delete(P, C)]),
            lambda: store.write([]),
            store.sweep,
            lambda: list(reading),
        ):
            with pytest.raises(StoreClosedError):
                call()

    def test_s6_driver_closed(self, factory: Callable[..., RowDriver]) -> None:
        """A driver closes the stores that are still open, and is no more use then."""
        driver = factory()
        store = driver.create(NAME)
        store.write([Put(P, C, b"x")])
        driver.close()
        driver.close()
        with pytest.raises(StoreClosedError):
            store.get(P, C)
        for call in (lambda: driver.open(NAME), lambda: driver.create("b.b"), driver.names):
            with pytest.raises(StoreClosedError):
                call()

    def test_s7_removed(self, driver: RowDriver) -> None:
        """A store is removed with its rows, not while it is open, and can be made anew."""
        store = driver.create(NAME)
        store.write([Put(P, C, b"x")])
        with pytest.raises(StoreBusyError):
            driver.remove(NAME)
        store.close()
        driver.remove(NAME)
        assert driver.names() == []
        with pytest.raises(StoreMissingError):
            driver.remove(NAME)
        with driver.create(NAME) as store:
            assert store.get(P, C) is None

    def test_s8_opened_again(self, driver: RowDriver) -> None:
        """What was written is there when the store is opened again, also what has a time to live."""
        with driver.create(NAME) as store:
            store.write([Put(P, (n,), b"%d" % n, ttl=100 if n % 2 else None) for n in range(100)])
        with driver.open(NAME) as store:
            assert [row.value for row in store.read(P)] == [b"%d" % n for n in range(100)]
            left = store.ttl(P, (1,))
            assert left is not None
            assert 0 < left <= 100

    def test_s9_another_driver(self, factory: Callable[..., RowDriver]) -> None:
        """Another driver at the same place finds the stores and their rows."""
        if not self.durable:
            pytest.skip("the driver is not durable")
        with factory() as driver, driver.create(NAME) as store:
            store.write([Put(P, C, b"x")])
        with factory() as driver:
            assert driver.names() == [NAME]
            with driver.open(NAME) as store:
                assert store.get(P, C) == b"x"

    def test_s10_held(self, driver: RowDriver, store: RowStore) -> None:
        """A store is held by one at a time, until that is closed; holding it again does nothing."""
        store.hold()
        store.hold()
        with driver.open(NAME) as second, driver.open(NAME) as third:
            for _ in range(2):
                with pytest.raises(StoreHeldError, match=r"acme\.shop.* held"):
                    second.hold()
            store.write([Put(P, C, b"x")])
            store.close()
            second.hold()
            with pytest.raises(StoreHeldError):
                third.hold()
        with pytest.raises(StoreClosedError):
            store.hold()

    def test_s11_held_apart(self, driver: RowDriver, store: RowStore) -> None:
        """Who holds a store keeps nobody from reading and writing who does not ask, nor another store."""
        store.hold()
        with driver.open(NAME) as second, driver.create("b.b") as other:
            assert second.write([Put(P, C, b"x")])
            assert store.get(P, C) == b"x"
            other.hold()

    def test_s12_held_elsewhere(self, factory: Callable[..., RowDriver]) -> None:
        """Another driver at the same place can neither hold nor remove what is held."""
        if not self.durable:
            pytest.skip("the driver is not durable")
        with factory() as driver, factory() as other:
            with driver.create(NAME) as store, other.open(NAME) as second:
                store.hold()
                with pytest.raises(StoreHeldError):
                    second.hold()
                second.close()
                with pytest.raises(StoreHeldError):
                    other.remove(NAME)
                store.write([Put(P, C, b"x")])
            other.remove(NAME)
