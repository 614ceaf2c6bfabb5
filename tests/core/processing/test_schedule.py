from __future__ import annotations

import math
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.processing._schedule import Schedule


def at(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("*/15 * * * *", "2026-01-01T00:00", "2026-01-01T00:15"),
        ("0 9 * * mon", "2026-01-01T00:00", "2026-01-05T09:00"),
        ("5/20 * * * ?", "2026-01-01T00:06", "2026-01-01T00:25"),
        ("0 0 1 jan,JUL *", "2026-01-01T00:00", "2026-07-01T00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00", "2028-02-29T00:00"),
        ("0 0 * * fri/2", "2026-01-03T00:00", "2026-01-09T00:00"),
        ("@hourly", "2026-01-01T00:30", "2026-01-01T01:00"),
        ("@daily", "2026-01-01T00:00", "2026-01-02T00:00"),
        ("@midnight", "2026-01-01T00:00", "2026-01-02T00:00"),
        ("@weekly", "2026-01-01T00:00", "2026-01-04T00:00"),
        ("@monthly", "2026-01-01T00:00", "2026-02-01T00:00"),
        ("@yearly", "2026-01-01T00:00", "2027-01-01T00:00"),
        ("@annually", "2026-01-01T00:00", "2027-01-01T00:00"),
        ("@every 1h30m", "2026-01-01T00:00", "2026-01-01T01:30"),
        ("@every 1.5m", "2026-01-01T00:00", "2026-01-01T00:01:30"),
        ("@every 10ms", "2026-01-01T00:00", "2026-01-01T00:00:01"),
    ],
)
def test_a_schedule_is_due_next(schedule, after, expected):
    assert Schedule(schedule).next(at(after)) == at(expected)


def test_a_time_zone_may_stand_before_it():
    for text in ("TZ=Europe/Paris 0 9 * * *", "CRON_TZ=Europe/Paris 0 9 * * *"):
        assert Schedule(text).next(at("2026-07-01T00:00")) == at("2026-07-01T07:00")
    assert Schedule("TZ=Local @hourly").next(0.0) <= 3600


def test_a_change_of_the_clocks_neither_loses_nor_doubles_a_daily_run():
    schedule = Schedule("TZ=Europe/Paris 30 2 * * *")
    due, days = at("2026-01-01T12:00", "Europe/Paris"), []
    for _ in range(365):
        due = schedule.next(due)
        days.append(datetime.fromtimestamp(due, ZoneInfo("Europe/Paris")).date())
    assert len(set(days)) == 365
    assert all((later - earlier).days == 1 for earlier, later in pairwise(days))


def test_what_never_comes_is_never_due():
    assert Schedule("0 0 30 2 *").next(0.0) == math.inf


@given(
    st.sampled_from(
        ["* * * * *", "*/7 3-5 * * 1-5", "@hourly", "@every 90s", "TZ=America/New_York 15 1 * * *"]
    ),
    st.floats(0, 4e9),
)
def test_the_next_time_lies_ahead(schedule, after):
    assert Schedule(schedule).next(after) > after
