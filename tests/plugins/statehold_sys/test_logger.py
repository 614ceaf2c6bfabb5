from __future__ import annotations

import logging
from typing import Any

import pytest

from statehold.sdk import StorageError, StorageLogger
from statehold.testing import open_storage
from statehold_sys.logger import provider


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append((record.levelno, record.getMessage(), record.__dict__["statehold_workspace"]))


def test_levels_and_messages_reach_the_storages_logger() -> None:
    """Each LogLevel has its place among the standard levels; 0 and NULL are printed nowhere."""
    logger, records = StorageLogger("test", 1), Records()
    logger.addHandler(records)
    with open_storage(provider, logger=logger) as opened:
        levels = [None, 0, 1, 2, 3, 4, 5]
        opened.storage.apply_batch(
            [opened.facade.insert(opened.key(7, LogLevel=one), {"Message": f"100% {one}"}) for one in levels]
        )
        opened.insert(opened.key(8, LogLevel=3), {})
    assert records.seen == [
        (logging.ERROR, "100% 1", 7),
        (logging.WARNING, "100% 2", 7),
        (logging.INFO, "100% 3", 7),
        (logging.DEBUG, "100% 4", 7),
        (5, "100% 5", 7),
        (logging.INFO, "", 8),
    ]


@pytest.mark.parametrize("level", [-1, 6, 2**31 - 1])
def test_another_level_is_refused_before_anything_is_written(level: int) -> None:
    """The error names the levels; the good lines of the batch are not written either."""
    logger, records = StorageLogger("test", 1), Records()
    logger.addHandler(records)
    with open_storage(provider, logger=logger) as opened:
        batch = [opened.facade.insert(opened.key(1, LogLevel=one), {"Message": "x"}) for one in (1, level)]
        for use in (opened.storage.validate, opened.storage.apply_batch):
            with pytest.raises(StorageError, match=rf"LogLevel is {level}.*1 Error"):
                use(batch)
    assert records.seen == []
