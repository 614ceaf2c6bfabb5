from __future__ import annotations

import pytest

from statehold_vsql.semantics._cron import schedule_error


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "0 0 1 1 0",
        "*/5 0-23/2 1,15 JAN-mar,Dec ?",
        "  1  2\t3 4 sun  ",
        "5/15 * * * MON-FRI",
        "@daily",
        "@every 1h30m10s",
        "@every 1.5h",
        "TZ=Europe/Paris 30 4 * * *",
        "CRON_TZ=UTC @hourly",
    ],
)
def test_a_right_schedule_has_no_error(schedule: str) -> None:
    assert not schedule_error(schedule)


@pytest.mark.parametrize(
    "schedule",
    [
        *(
            "",
            "*",
            "* * * *",
            "0 * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
        ),
        *("*/0 * * * *", "5-3 * * * *", "a * * * *", "1,, * * * *", "- * * * *", "1- * * * *", "mon * * * *"),
        *(
            "@reboot",
            "@Daily",
            "@every",
            "@every 5",
            "@every x",
            "@every 1d",
            "TZ=No/Where * * * * *",
            "-1 * * * *",
        ),
        *("*5 * * * *", "TZ=../../etc/passwd * * * * *", "1/99999999999 * * * *", "\u0661 * * * *"),
    ],
)
def test_a_wrong_schedule_has_an_error(schedule: str) -> None:
    assert schedule_error(schedule)
