from __future__ import annotations

import threading

from metadata_shelves import OnShelf, shelves

from statehold_zstor.backends import Backend, BackendError, BackendUnreachableError
from statehold_zstor.metadata._fan import Fan


def fetch(backend: Backend) -> bytes:
    return backend.get("key")


def opened(count: int, *, longest: float = 60.0) -> tuple[list[threading.Event], Fan]:
    found = shelves(count)
    gates = []
    for number, shelf in enumerate(found):
        shelf.values["key"] = b"%d" % number
        shelf.gate = threading.Event()
        gates.append(shelf.gate)
    return gates, Fan([OnShelf(shelf) for shelf in found], longest=longest)


def test_nobody_waits_for_those_whose_answer_is_not_needed() -> None:
    gates, fan = opened(3)
    gates[0].set()
    gates[1].set()
    results = fan.call(dict.fromkeys(range(3), fetch), lambda results: 0.0 if len(results) == 2 else None)
    assert results == {0: b"0", 1: b"1"}
    gates[2].set()
    fan.close()


def test_who_is_late_may_answer_for_a_while() -> None:
    gates, fan = opened(2)
    gates[0].set()

    def enough(results: object) -> float:
        gates[1].set()
        return 60.0

    assert fan.call(dict.fromkeys(range(2), fetch), enough) == {0: b"0", 1: b"1"}
    fan.close()


def test_a_disk_that_hangs_is_taken_for_unreachable() -> None:
    """Whatever is needed of it; what it does later is no matter."""
    gates, fan = opened(2, longest=0.2)
    gates[0].set()
    results = fan.call(dict.fromkeys((1,), fetch))
    assert isinstance(results[1], BackendUnreachableError)
    assert results[1].message == "shelf-1 does not answer"
    gates[1].set()
    fan.close()


def test_the_error_of_one_backend_is_its_result() -> None:
    _, fan = opened(2)

    def fail(backend: Backend) -> bytes:
        raise BackendError("no", backend=backend.name)

    results = fan.call({0: lambda backend: b"x", 1: fail})
    assert results[0] == b"x"
    assert isinstance(results[1], BackendError)
    fan.close()
