"""What becomes of an open database when the server of PostgreSQL stops."""

from __future__ import annotations

import signal

import pytest

from statehold_aos.database import Database, Service, Settings, UnavailableError


def test_a_server_that_was_away_is_used_again_and_counters_wait_for_it(postgres, url: str) -> None:
    with Database.open(url, settings=Settings(traffic_seconds=3600)) as database:
        aos = database.of(1)
        aos.services.add(Service(id="nav"))
        postgres.stop(signal.SIGQUIT)
        aos.traffic.set("in", 1, 1)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                aos.services.add(Service(id="other"))
            with pytest.raises(UnavailableError):
                aos.services.all()
        postgres.start()
        aos.services.add(Service(id="other"))
        assert [one.id for one in aos.services.all()] == ["nav", "other"]
    with Database.open(url) as database:
        assert database.of(1).traffic.get("in").value == 1
