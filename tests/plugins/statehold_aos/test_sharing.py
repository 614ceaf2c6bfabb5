"""Storages and versions that stand on one database share it."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from leaving import nothing_left

from statehold.sdk import Field, FreedError, StorageError
from statehold.testing import OpenStorage, open_storage
from statehold.testing._patience import together
from statehold_aos import Databases, make_providers
from statehold_aos.database import AosDatabaseError, Database, NotExistError, Place, Settings


@pytest.fixture
def aos(tmp_path: Path) -> Iterator[dict[str, OpenStorage]]:
    """All five, as a host opens them in one partition."""
    with ExitStack() as stack:
        opened: dict[str, OpenStorage] = {}
        for name, provider in make_providers().items():
            folder = tmp_path / name
            folder.mkdir()
            required = {one: opened[one].storage for one in provider.requires}
            opened[name] = stack.enter_context(open_storage(provider, data_folder=folder, storages=required))
        yield opened


def test_the_five_stand_on_the_database_of_config(aos: dict[str, OpenStorage], tmp_path: Path) -> None:
    databases = {id(opened.storage.database) for opened in aos.values()}
    assert len(databases) == 1
    found = {name: sorted(path.name for path in (tmp_path / name).iterdir()) for name in aos}
    assert found.pop("Config")[0] == "aos.db"
    assert set(map(tuple, found.values())) == {()}


def test_what_one_writes_the_others_stand_on(aos: dict[str, OpenStorage]) -> None:
    services, users = aos["Services"], aos["Users"]
    claim = users.key(7, users='["ann"]', serviceid="nav")
    with pytest.raises(StorageError, match="Services come before the users who have them") as raised:
        users.insert(claim, {})
    assert raised.value.__notes__ == ["apply of test.Users"]
    services.insert(services.key(7, id="nav"), {"version": 3})
    users.insert(claim, {"storageFolder": "/storages/1"})
    database: Database = services.storage.database
    assert database.of(7).users.services(["ann"])[0].version == 3
    assert database.of(1).services.all() == []
    database.of(7).services.set_state("nav", 2)
    assert services.facade.get(services.key(7, id="nav")).state == 2


def test_an_update_of_what_is_gone_is_an_error_and_none_of_its_batch_happens(
    aos: dict[str, OpenStorage],
) -> None:
    layers = aos["Layers"]
    one, other = (layers.key(1, digest=digest) for digest in "ab")
    layers.insert(one, {"path": "/1"})
    existing = layers.facade.get(one)
    layers.storage.database.of(1).layers.remove("a")
    with pytest.raises(NotExistError, match="an UPDATE of what does not exist: workspace 1, digest 'a'"):
        layers.apply([layers.facade.insert(other, {}), layers.facade.update(one, existing, {"path": "/2"})])
    assert layers.facade.get(other) is None


def test_a_declaration_may_have_what_later_service_managers_have(tmp_path: Path) -> None:
    services = make_providers()["Services"]
    value = [Field("version", "int64"), Field("uid", "int64"), Field("boardResources", "text")]
    file = {"Database": str(tmp_path / "aos.db")}
    with (
        open_storage(services, config=file, value=value) as later,
        open_storage(services, config=file) as seed,
    ):
        later.insert(later.key(1, id="nav"), {"uid": 5000})
        existing = seed.facade.get(seed.key(1, id="nav"))
        seed.update(seed.key(1, id="nav"), existing, {"unit": "u"})
        assert later.facade.get(later.key(1, id="nav")).uid == 5000
        seed.insert(seed.key(1, id="nav"), {"unit": "u"})
        assert later.facade.get(later.key(1, id="nav")).uid is None


@pytest.mark.parametrize(
    "field", [Field("nothing", "text"), Field("uid", "text"), Field("uid", "int64", required=True)]
)
def test_a_field_that_the_table_does_not_have_is_refused(tmp_path: Path, field: Field) -> None:
    services = make_providers()["Services"]
    with (
        pytest.raises(StorageError, match=r"the table has version int64, serviceProvider text, .* uid int64"),
        open_storage(services, config={"Database": str(tmp_path / "aos.db")}, value=[field]),
    ):
        pass


def test_a_storage_that_nobody_tells_its_database_says_so() -> None:
    with (
        pytest.raises(StorageError, match="Declare Config in the same package"),
        open_storage(make_providers()["Layers"]),
    ):
        pass


@pytest.mark.parametrize("text", ["mysql://x/y", "sqlite:///x"])
def test_another_kind_of_database_is_refused(text: str) -> None:
    with (
        pytest.raises(AosDatabaseError, match="expected the path of a file or postgresql://"),
        open_storage(make_providers()["Layers"], config={"Database": text}),
    ):
        pass


# -- One pool per file ----------------------------------------------------------------------------------


def lease(databases: Databases, file: Path, **settings: Any):
    from logging import getLogger

    return databases.lease(Place.of(file), settings=Settings(**settings), logger=getLogger("test"))


def test_a_file_is_open_once_whichever_link_leads_to_it(tmp_path: Path) -> None:
    databases = Databases()
    (tmp_path / "link").symlink_to(tmp_path)
    one, other = lease(databases, tmp_path / "aos.db"), lease(databases, tmp_path / "link" / "aos.db")
    assert one.database is other.database
    third = lease(databases, tmp_path / "other.db")
    assert third.database is not one.database
    for each in (one, third):
        each.release()
        each.release()
    assert other.database.of(1).services.all() == []
    other.release()
    with pytest.raises(FreedError):
        other.database  # noqa: B018 - it raises
    assert not databases._shared
    assert {path.name for path in tmp_path.iterdir()} == {"aos.db", "link", "other.db"}


def test_a_database_that_cannot_be_opened_is_not_remembered(tmp_path: Path) -> None:
    databases = Databases()
    file = tmp_path / "sub" / "aos.db"
    with pytest.raises(AosDatabaseError):
        lease(databases, file)
    assert not databases._shared
    file.parent.mkdir()
    lease(databases, file).release()


def test_opened_and_given_back_by_many_at_once_nothing_counted_is_lost(tmp_path: Path) -> None:
    databases = Databases()

    def work(thread: int) -> None:
        for n in range(15):
            taken = lease(databases, tmp_path / "aos.db", traffic_seconds=3600, synchronous="NORMAL")
            traffic = taken.database.of(1).traffic
            if n:
                assert traffic.get(f"c{thread}").value == n - 1
            traffic.set(f"c{thread}", n, n)
            taken.release()

    with nothing_left():
        together(60, [functools.partial(work, thread) for thread in range(8)])
        assert not databases._shared
    with closing(sqlite3.connect(tmp_path / "aos.db")) as connection:
        assert connection.execute("SELECT value FROM trafficmonitor").fetchall() == [(14,)] * 8
