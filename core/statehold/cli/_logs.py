"""Who hears what is logged, for the time of a block."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


@contextmanager
def heard_by(handler: logging.Handler, *names: str, level: int | None = None) -> Iterator[None]:
    """Let *handler* have what these loggers say, from *level* on, or from that on which they have."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        if level is not None:
            logger.setLevel(level)
    try:
        yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            if level is not None:
                logger.setLevel(was)


def silence(*names: str) -> AbstractContextManager[None]:
    """Let nobody see what these loggers say: who runs them tells itself what goes wrong."""
    return heard_by(logging.NullHandler(), *names)
