from __future__ import annotations

from collections.abc import Iterator

import pytest

from statehold_zstor.backends import BackendFullError, _usage
from statehold_zstor.backends._usage import Usage


def test_a_long_count_goes_on_where_the_last_call_left_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_usage, "_SLICE", -1.0)
    usage = Usage("name", lambda: [10, 20, 30])
    assert [usage.get() for _ in range(3)] == [None, None, None]
    assert usage.get() == (3, 60)


def test_between_two_counts_what_is_written_and_deleted_is_added() -> None:
    counts: list[int] = []

    def sizes() -> Iterator[int]:
        counts.append(1)
        yield from (10, 20)

    usage = Usage("name", sizes)
    usage.add(1, 5)  # nobody has counted yet
    assert usage.get() == (2, 30)
    usage.add(1, 5)
    usage.add(-2, -25)
    assert usage.get() == (1, 10)
    usage.add(-5, -500)
    assert usage.get() == (0, 0)
    assert len(counts) == 1
    assert usage.get(anew=True) == (2, 30)


def test_a_count_that_fails_is_begun_anew() -> None:
    answers: list[object] = [10, OSError("no"), 10, 20]

    def sizes() -> Iterator[int]:
        while answers:
            answer = answers.pop(0)
            if isinstance(answer, OSError):
                raise answer
            yield answer

    usage = Usage("name", sizes)
    with pytest.raises(OSError, match="no"):
        usage.get()
    assert usage.get() == (2, 30)


def test_before_it_says_that_it_is_full_it_counts_anew() -> None:
    there = [90]
    usage = Usage("name", lambda: there, limit=100)
    assert usage.get() == (1, 90)
    there[:] = [40]
    usage.check_room(60)
    assert usage.left(40) == 60
    with pytest.raises(BackendFullError, match="name: 101 bytes would be there, its limit is 100"):
        usage.check_room(61)
