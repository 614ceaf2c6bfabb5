from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from statehold.sdk import Intent
from statehold.testing import OpenStorage, StorageConformance
from statehold_aos import config, layers, services, traffic_monitor, users
from statehold_aos.database import Database, Service, Tables

_NUMBERS = itertools.count()


class _Aos(StorageConformance):
    # In the storage's own data folder.
    config = {"Database": "aos.db"}
    durable = True
    ordered = True
    examples = 10


class TestConfig(_Aos):
    provider = config
    rows = [({}, {"version": 3, "cursor": "s=1"})]


class TestServices(_Aos):
    provider = services
    rows = [({"id": "nav"}, {"version": 3, "serviceProvider": "acme", "storageLimit": 2_000_000})]


class TestTrafficMonitor(_Aos):
    provider = traffic_monitor
    rows = [({"chain": "AOS_IN"}, {"time": 1_600_000_000_000, "value": 7})]


class TestLayers(_Aos):
    provider = layers
    rows = [({"digest": "sha256:1"}, {"layerId": "base", "path": "/l/1"})]


@attrs.frozen
class _WithServices:
    """Adds the services that users are given before they are: each must be there."""

    writer: Any

    def validate(self, items: Sequence[Intent]) -> None:
        self.writer.validate(items)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        database: Database = self.writer.database
        for wsid, service in {(item.key.WSID, item.key.serviceid) for item in items}:
            database.transact(wsid, lambda tables, service=service: _ensure(tables, service))
        self.writer.apply_batch(items)


def _ensure(tables: Tables, service: str) -> None:
    if service != "unknown" and service not in {one.id for one in tables.services.all()}:
        tables.services.add(Service(id=service))


class TestUsers(_Aos):
    provider = users
    rows = [({"users": '["ann"]', "serviceid": "nav"}, {"storageFolder": "/s/1", "stateCheckSum": b"\1"})]
    refused = [({"users": '["ann"]', "serviceid": "unknown"}, {})]

    def open(self, **options: Any) -> OpenStorage:
        opened = super().open(**options)
        return attrs.evolve(opened, writer=_WithServices(opened.writer))


class TestUsersOnPostgres(TestUsers):
    # All that have the same URL are one: partitions and packages of the kit, too.
    shared = True
    examples = 5

    @pytest.fixture
    def config(self, postgres):
        name = f"aos_kit_{next(_NUMBERS)}"
        postgres.schema(name)
        where = f"host={postgres._folder}&options=-csearch_path%3D{name}"
        return {"Database": f"postgresql://statehold@/postgres?{where}", "Synchronous": "NORMAL"}
