from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from zdb_servers import LIMIT, Running, Talk, serving

CHANGED = "-Something else is there"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("zdb")) as running:
        yield running


@pytest.fixture
def talk(running: Running) -> Iterator[Talk]:
    talk = running.client()
    yield talk
    talk.close()


def test_a_payload_is_put_only_where_the_one_before_it_stands(talk: Talk) -> None:
    assert talk("SWAP", "one", "x", "y") == CHANGED
    assert talk("SWAP", "one", "", "a") == b"OK"
    assert talk("SWAP", "one", "", "b") == CHANGED
    assert talk("SWAP", "one", "a", b"b\r\n\x00") == b"OK"
    assert talk("GET", "one") == b"b\r\n\x00"
    assert talk("SWAP", "one", b"b\r\n\x00", "") == b"OK"
    assert talk("GET", "one") is None


def test_of_many_who_swap_at_once_one_wins_each_time(running: Running) -> None:
    counted = [0] * 4
    start = threading.Barrier(4, timeout=LIMIT)

    def count(number: int) -> None:
        talk = running.client()
        start.wait()
        while counted[number] < 25:
            before = talk("GET", "counter") or b""
            answer = talk("SWAP", "counter", before, b"%d" % (int(before or b"0") + 1))
            if answer not in (b"OK", CHANGED):
                break
            counted[number] += answer == b"OK"
        talk.close()

    threads = [threading.Thread(target=count, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    talk = running.client()
    assert talk("GET", "counter") == b"100"
    talk.close()


def test_a_mirror_sees_what_a_swap_has_changed(running: Running, talk: Talk) -> None:
    mirror = running.client()
    assert mirror("MIRROR") == b"Starting mirroring"
    assert talk("SWAP", "seen", "", "a") == b"OK"
    assert mirror.read() == [b"SET", b"seen", b"a"]
    assert talk("SWAP", "seen", "a", "") == b"OK"
    assert mirror.read() == [b"DEL", b"seen"]
    mirror.close()


def test_what_cannot_be_swapped_is_refused(talk: Talk) -> None:
    assert talk("SWAP", "k", "a") == "-Unexpected arguments"
    assert talk("SWAP", "k" * 256, "", "a") == "-Invalid key"
    assert talk("SWAP", "", "", "a") == "-Invalid key"
    assert talk("NSNEW", "numbers") == b"OK"
    assert talk("NSSET", "numbers", "mode", "seq") == b"OK"
    assert talk("SELECT", "numbers") == b"OK"
    assert talk("SWAP", "k", "", "a") == "-Not in a sequential namespace"
