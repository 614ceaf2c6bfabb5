"""Who hears what is logged, for the time of a block."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


@contextmanager
def heard_by(handler: logging.Handler, *names: str) -> Iterator[None]:
    """Let *handler* have what these loggers say."""
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def silence(*names: str) -> AbstractContextManager[None]:
    """Let nobody see what these loggers say: who runs them tells itself what goes wrong."""
    return heard_by(logging.NullHandler(), *names)
