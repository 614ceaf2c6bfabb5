from __future__ import annotations

import logging

import pytest

from statehold.hosting._logger import HostedLogger

NAME = "statehold.acme.logged.2.0.1.0.bills.Scada"


@pytest.fixture
def logger():
    return HostedLogger(NAME)


@pytest.fixture
def registered():
    """Return `getLogger` for names whose levels are taken back afterwards."""
    used = []

    def get(name):
        used.append(logging.getLogger(name))
        return used[-1]

    yield get
    for logger in used:
        logger.setLevel(logging.NOTSET)


def test_nothing_is_registered_with_logging():
    logger = HostedLogger("statehold.acme.quiet.1.0.bills.Scada")
    logger.warning("seen")
    logger.getChild("below").warning("seen")
    assert not [name for name in logging.Logger.manager.loggerDict if name.startswith("statehold.acme.quiet")]


def test_records_reach_the_handlers_of_registered_loggers_above(logger, caplog):
    logger.warning("the oven is at %d degrees", 230)
    assert caplog.record_tuples == [(NAME, logging.WARNING, "the oven is at 230 degrees")]


def test_verbose_is_debug(logger, caplog):
    with caplog.at_level(logging.DEBUG):
        logger.verbose("a detail")
    assert caplog.record_tuples == [(NAME, logging.DEBUG, "a detail")]


@pytest.mark.parametrize("name", ["statehold", "statehold.acme.logged", "statehold.acme.logged.2.0.1", NAME])
def test_a_level_can_be_set_at_every_part_of_the_name_and_at_any_time(logger, registered, name):
    assert not logger.isEnabledFor(logging.DEBUG)
    registered(name).setLevel(logging.DEBUG)
    assert logger.isEnabledFor(logging.DEBUG)
    registered(name).setLevel(logging.ERROR)
    assert not logger.isEnabledFor(logging.WARNING)


def test_logging_can_be_disabled_for_the_whole_process(logger):
    logging.disable(logging.CRITICAL)
    try:
        assert not logger.isEnabledFor(logging.ERROR)
    finally:
        logging.disable(logging.NOTSET)


def test_a_child_has_the_filters_of_its_parent(logger, caplog):
    logger.addFilter(lambda record: "secret" not in record.getMessage())
    logger.getChild("below").warning("a secret")
    logger.getChild("below").warning("another thing")
    assert [record[2] for record in caplog.record_tuples] == ["another thing"]
    assert caplog.records[0].name == f"{NAME}.below"
