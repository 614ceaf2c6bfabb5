"""What every backend does, whatever it stands on."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from statehold_zstor.backends import (
    MAX_KEY,
    MAX_VALUE,
    Backend,
    BackendRefusedError,
    ValueChangedError,
    ValueMissingError,
    open_backend,
)
from statehold_zstor.config import BackendConfig

LIMIT = 60.0
BYTES = bytes(range(256))


class BackendConformance:
    """Scenarios for a `config` fixture, which is an empty backend each time."""

    #: More keys than it tells at once.
    many = 1_200

    @pytest.fixture
    def config(self) -> BackendConfig:
        raise NotImplementedError

    @pytest.fixture
    def backend(self, config: BackendConfig):
        opened = open_backend(config)
        yield opened
        opened.close()

    def test_what_is_put_is_what_is_got(self, backend: Backend) -> None:
        for key, value in {"a": b"\x00", "deep/er/key-1_x.y": BYTES, "b" * MAX_KEY: b"\r\n$-1\r\n"}.items():
            backend.put(key, value)
            assert backend.get(key) == value

    def test_a_value_is_replaced_as_a_whole(self, backend: Backend) -> None:
        backend.put("key", BYTES * 10)
        backend.put("key", memoryview(b"short"))
        assert backend.get("key") == b"short"
        backend.put("key", b"short")
        assert backend.get("key") == b"short"

    def test_the_largest_value_fits_and_a_larger_one_is_refused(self, backend: Backend) -> None:
        value = random.Random(1).randbytes(MAX_VALUE)
        backend.put("large", value)
        assert backend.get("large") == value
        for wrong in (b"", value + b"x"):
            with pytest.raises(BackendRefusedError, match="expected 1 to 8,388,608 bytes"):
                backend.put("large", wrong)
        assert backend.get("large") == value

    @pytest.mark.parametrize(
        "key", ["", "/a", "a/", "a//b", ".a", "a/.b", "a/../b", "a b", "ä", "a\n", "a" * (MAX_KEY + 1)]
    )
    def test_a_key_that_cannot_be_is_refused(self, backend: Backend, key: str) -> None:
        for call in (
            lambda: backend.put(key, b"x"),
            lambda: backend.get(key),
            lambda: backend.delete(key),
            lambda: backend.swap(key, None, b"x"),
        ):
            with pytest.raises(BackendRefusedError, match="a key: expected"):
                call()
        assert list(backend.keys()) == []

    def test_what_is_not_there_is_missing_and_can_be_deleted(self, backend: Backend) -> None:
        backend.delete("none")
        with pytest.raises(ValueMissingError, match="nothing under none"):
            backend.get("none")
        backend.put("some", b"x")
        backend.delete("some")
        with pytest.raises(ValueMissingError):
            backend.get("some")
        assert list(backend.keys()) == []

    def test_a_key_and_keys_below_it_are_different_things(self, backend: Backend) -> None:
        backend.put("a/b", b"1")
        backend.put("a", b"2")
        backend.put("a/b/c", b"3")
        backend.delete("a/b/c")
        assert [backend.get(key) for key in ("a", "a/b")] == [b"2", b"1"]

    def test_keys_of_more_than_a_page_are_all_told_once(self, backend: Backend) -> None:
        keys = {f"p/{number:04}" for number in range(self.many)} | {"p", "pq", "q/1"}
        for key in keys:
            backend.put(key, b"x")
        assert sorted(backend.keys()) == sorted(keys)
        assert sorted(backend.keys("p/")) == sorted(keys - {"p", "pq", "q/1"})
        assert sorted(backend.keys("p/00")) == [f"p/{number:04}" for number in range(100)]
        assert sorted(backend.keys("p")) == sorted(keys - {"q/1"})
        assert list(backend.keys("nothing/here")) == []

    def test_a_key_that_vanishes_while_keys_are_told_is_no_error(self, backend: Backend) -> None:
        for number in range(50):
            backend.put(f"k{number}", b"x")
        found = []
        for key in backend.keys("k"):
            if not found:
                for number in range(25):
                    backend.delete(f"k{number}")
            found.append(key)
        assert {f"k{number}" for number in range(25, 50)} <= set(found)

    def test_a_swap_needs_what_stands_there(self, backend: Backend) -> None:
        with pytest.raises(ValueChangedError):
            backend.swap("key", b"what", b"one")
        backend.swap("key", None, b"one")
        for before in (None, b"two", b"on", b"ones"):
            with pytest.raises(ValueChangedError, match="something else stands under key"):
                backend.swap("key", before, b"new")
        backend.swap("key", b"one", BYTES)
        assert backend.get("key") == BYTES
        backend.swap("key", BYTES, None)
        assert list(backend.keys()) == []
        with pytest.raises(ValueChangedError):
            backend.swap("key", b"one", b"two")

    def test_a_swap_that_is_done_already_is_done(self, backend: Backend) -> None:
        backend.swap("key", None, b"one")
        backend.swap("key", None, b"one")
        backend.swap("key", b"what", b"one")
        assert backend.get("key") == b"one"
        backend.swap("none", b"what", None)

    def test_of_many_who_swap_at_once_one_wins_each_time(self, config: BackendConfig) -> None:
        counts: dict[int, int] = {}
        start = threading.Barrier(3, timeout=LIMIT)

        def count(number: int) -> None:
            backend = open_backend(config)
            start.wait()
            done = turns = 0
            while done < 8 and turns < 5_000:
                turns += 1
                try:
                    before: bytes | None = backend.get("count")
                except ValueMissingError:
                    before = None
                text = (before or b"0:").partition(b":")[0]
                try:
                    backend.swap("count", before, b"%d:%d.%d" % (int(text) + 1, number, turns))
                except ValueChangedError:
                    continue
                done += 1
            counts[number] = done
            backend.close()

        threads = [threading.Thread(target=count, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        backend = open_backend(config)
        assert counts == {0: 8, 1: 8, 2: 8}
        assert backend.get("count").startswith(b"24:")
        backend.close()

    def test_its_health_tells_values_and_bytes(self, backend: Backend) -> None:
        backend.put("a", b"x" * 1000)
        backend.put("b", b"x" * 500)
        health = backend.health()
        assert (health.reachable, health.objects, health.used, health.problem) == (True, 2, 1500, "")
        backend.put("c", b"x" * 250)
        health = backend.health()
        assert (health.objects, health.used) == (3, 1750)
        backend.swap("d", None, b"x" * 50)
        backend.swap("d", b"x" * 50, b"x" * 150)
        health = backend.health()
        assert (health.objects, health.used) == (4, 1900)

    def test_it_is_there_for_who_opens_it_again(self, config: BackendConfig, backend: Backend) -> None:
        backend.put("a", b"1")
        other = open_backend(config)
        assert other.get("a") == b"1"
        assert other.name == backend.name
        other.close()

    def test_many_threads_may_use_it(self, backend: Backend, tmp_path: Path) -> None:
        failed: list[BaseException] = []

        def work(number: int) -> None:
            value = b"%d" % number * 2000
            try:
                for turn in range(10):
                    backend.put(f"t{number}/{turn}", value)
                    assert backend.get(f"t{number}/{turn}") == value
                    backend.delete(f"t{number}/{turn}")
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        assert failed == []
        assert list(backend.keys()) == []
