"""Every function of the Service Manager's database, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest

from statehold_aos.database import (
    AosDatabaseError,
    Database,
    ExistsError,
    Instance,
    InUseError,
    Layer,
    NotExistError,
    Service,
    ServiceState,
    ServiceStatus,
    Tables,
    Traffic,
    UsersService,
    users_text,
)

NAV = Service(
    id="nav",
    version=3,
    service_provider="acme",
    path="/services/nav",
    unit="aos_nav.service",
    user="user5000",
    hostname="nav",
    permissions='{"*": "r"}',
    state=ServiceState.RUNNING,
    status=ServiceStatus.ERROR,
    start_at=1_600_000_000_123,
    ttl=30,
    alert_rules='{"ram": 1}',
    ul_limit=1,
    dl_limit=2,
    ul_speed=3,
    dl_speed=4,
    storage_limit=2**40,
    state_limit=64,
    layer_list='["sha256:1"]',
    device_resources='{"devices": []}',
    uid=5000,
    gid=5001,
    board_resources='["can0"]',
)
ANN = ["ann", "bob"]


# -- Services -------------------------------------------------------------------------------------------


def test_a_service_comes_back_as_it_was_added(aos: Tables) -> None:
    aos.services.add(NAV)
    assert aos.services.get("nav") == NAV


def test_a_service_has_the_seed_s_defaults(aos: Tables) -> None:
    aos.services.add(Service(id="nav"))
    found = aos.services.get("nav")
    assert (found.version, found.unit, found.state, found.start_at, found.uid) == (0, "", 0, None, None)


def test_a_second_service_of_an_id_is_refused_and_the_first_stays(aos: Tables) -> None:
    aos.services.add(NAV)
    with pytest.raises(ExistsError, match="service 'nav' exists already in workspace 1"):
        aos.services.add(Service(id="nav"))
    assert aos.services.get("nav") == NAV


def test_an_update_replaces_all_of_a_service(aos: Tables) -> None:
    aos.services.add(NAV)
    aos.services.update(Service(id="nav", version=4))
    assert aos.services.get("nav") == Service(id="nav", version=4)


def test_a_service_is_removed(aos: Tables) -> None:
    aos.services.add(NAV)
    aos.services.remove("nav")
    with pytest.raises(NotExistError, match="service 'nav' does not exist in workspace 1"):
        aos.services.get("nav")


def test_services_are_listed_by_id(aos: Tables) -> None:
    for name in ("b", "a", "é", "B"):
        aos.services.add(Service(id=name))
    assert [one.id for one in aos.services.all()] == ["B", "a", "b", "é"]


def test_services_are_found_by_provider(aos: Tables) -> None:
    for name, provider in (("a", "acme"), ("b", "other"), ("c", "acme")):
        aos.services.add(Service(id=name, service_provider=provider))
    assert [one.id for one in aos.services.of_provider("acme")] == ["a", "c"]
    assert aos.services.of_provider("nobody") == []


def test_a_service_is_found_by_unit(aos: Tables) -> None:
    aos.services.add(NAV)
    assert aos.services.by_unit("aos_nav.service") == NAV
    with pytest.raises(NotExistError, match=r"unit 'other.service'"):
        aos.services.by_unit("other.service")


def test_a_unit_that_two_services_have_is_told_rather_than_chosen(aos: Tables) -> None:
    for name in "ab":
        aos.services.add(Service(id=name, unit="u"))
    with pytest.raises(AosDatabaseError, match="got 'a' and 'b'"):
        aos.services.by_unit("u")


def test_status_state_and_start_time_are_set_and_nothing_else(aos: Tables) -> None:
    aos.services.add(Service(id="nav", version=3))
    aos.services.set_status("nav", ServiceStatus.ERROR)
    aos.services.set_state("nav", ServiceState.STOPPED)
    aos.services.set_start_time("nav", 7)
    assert aos.services.get("nav") == Service(id="nav", version=3, status=1, state=2, start_at=7)


# -- Users ----------------------------------------------------------------------------------------------


@pytest.fixture
def nav(aos: Tables) -> Service:
    aos.services.add(NAV)
    aos.users.add_service(ANN, "nav")
    return NAV


def test_a_claim_has_a_service_with_nothing_yet(aos: Tables, nav: Service) -> None:
    assert aos.users.get(ANN, "nav") == UsersService(users='["ann","bob"]', service_id="nav")


def test_a_claim_is_given_a_service_once(aos: Tables, nav: Service) -> None:
    with pytest.raises(ExistsError, match="service 'nav' of the users"):
        aos.users.add_service(ANN, "nav")


def test_the_order_of_users_makes_another_claim(aos: Tables, nav: Service) -> None:
    aos.users.add_service(ANN[::-1], "nav")
    assert [one.users for one in aos.users.of_service("nav")] == ['["ann","bob"]', '["bob","ann"]']


def test_a_claim_is_written_as_the_service_manager_does() -> None:
    assert users_text(["a<b>&c", 'q"', "é", "\u2028"]) == '["a\\u003cb\\u003e\\u0026c","q\\"","é","\\u2028"]'
    assert users_text([]) == "[]"


def test_storage_folder_checksum_and_environment_are_set(aos: Tables, nav: Service) -> None:
    aos.users.set_storage_folder(ANN, "nav", "/storages/1")
    aos.users.set_state_checksum(ANN, "nav", bytes(range(28)))
    aos.users.set_override_env_vars(ANN, "nav", "{}")
    found = aos.users.get(ANN, "nav")
    assert (found.storage_folder, found.state_checksum) == ("/storages/1", bytes(range(28)))
    assert found.override_env_vars == "{}"


def test_the_services_of_a_claim_are_listed(aos: Tables, nav: Service) -> None:
    for name in ("b", "a", "c"):
        aos.services.add(Service(id=name))
    aos.users.add_service(ANN, "a")
    aos.users.add_service(["other"], "b")
    assert [one.id for one in aos.users.services(ANN)] == ["a", "nav"]
    assert aos.users.services(ANN)[1] == NAV
    assert aos.users.services(["nobody"]) == []


def test_a_service_is_taken_from_a_claim_or_from_all(aos: Tables, nav: Service) -> None:
    for claim in (["c"], ["d"]):
        aos.users.add_service(claim, "nav")
    aos.users.remove_service(ANN, "nav")
    assert [one.users for one in aos.users.all()] == ['["c"]', '["d"]']
    aos.users.remove_service_from_all("nav")
    assert aos.users.all() == []


def test_users_are_not_given_a_service_that_is_not_there(aos: Tables) -> None:
    with pytest.raises(InUseError, match="Services come before the users who have them"):
        aos.users.add_service(ANN, "nav")
    assert aos.users.all() == []


def test_a_service_that_users_have_stays_so_that_no_folder_is_forgotten(aos: Tables, nav: Service) -> None:
    with pytest.raises(InUseError):
        aos.services.remove("nav")
    aos.users.set_storage_folder(ANN, "nav", "/storages/1")
    (theirs,) = aos.services.remove_with_users("nav")
    assert (theirs.users, theirs.storage_folder) == ('["ann","bob"]', "/storages/1")
    assert aos.services.all() == []


# -- Config, traffic, layers ----------------------------------------------------------------------------


def test_the_state_of_the_system_is_kept(aos: Tables) -> None:
    aos.config.set_operation_version(3)
    aos.config.set_journal_cursor("s=1")
    aos.config.set_upgrade_state(1)
    aos.config.set_upgrade_data(b"\0\1")
    aos.config.set_upgrade_version(4)
    aos.config.set_operation_version(5)
    assert (aos.config.operation_version(), aos.config.journal_cursor()) == (5, "s=1")
    assert (aos.config.upgrade_state(), aos.config.upgrade_data()) == (1, b"\0\1")
    assert aos.config.upgrade_version() == 4


def test_traffic_is_set_again_and_removed(aos: Tables) -> None:
    aos.traffic.set("in", 1, 10)
    aos.traffic.set("in", 2, 20)
    aos.traffic.set("out", 3, 2**62)
    assert aos.traffic.get("in") == Traffic(chain="in", time=2, value=20)
    assert [one.chain for one in aos.traffic.all()] == ["in", "out"]
    aos.traffic.remove("in")
    with pytest.raises(NotExistError, match="traffic of chain 'in'"):
        aos.traffic.get("in")


def test_layers_are_found_by_digest(aos: Tables) -> None:
    base = Layer(digest="sha256:1", layer_id="base", path="/layers/1", os_version="1", size=7)
    aos.layers.add(base)
    assert (aos.layers.get("sha256:1"), aos.layers.path("sha256:1")) == (base, "/layers/1")
    with pytest.raises(ExistsError, match="layer 'sha256:1'"):
        aos.layers.add(base)
    aos.layers.remove("sha256:1")
    assert aos.layers.all() == []


# -- Rules ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        lambda aos: aos.services.get("x"),
        lambda aos: aos.services.update(Service(id="x")),
        lambda aos: aos.services.set_status("x", 0),
        lambda aos: aos.services.set_state("x", 0),
        lambda aos: aos.services.set_start_time("x", 0),
        lambda aos: aos.users.get(["x"], "x"),
        lambda aos: aos.users.set_storage_folder(["x"], "x", ""),
        lambda aos: aos.users.set_state_checksum(["x"], "x", b""),
        lambda aos: aos.traffic.get("x"),
        lambda aos: aos.layers.get("x"),
        lambda aos: aos.layers.path("x"),
        lambda aos: aos.config.operation_version(),
        lambda aos: aos.config.journal_cursor(),
    ],
)
def test_what_is_not_there_cannot_be_asked_for_or_changed(database: Database, asked) -> None:
    for tables in (database.of(1), database.of(2)):
        with pytest.raises(NotExistError, match="does not exist in workspace"):
            asked(tables)


def test_removing_what_is_not_there_is_no_error(aos: Tables) -> None:
    aos.services.remove("x")
    assert aos.services.remove_with_users("x") == []
    aos.users.remove_service(["x"], "x")
    aos.users.remove_service_from_all("x")
    aos.traffic.remove("x")
    aos.layers.remove("x")


def test_workspaces_share_nothing(database: Database) -> None:
    one, other = database.of(1), database.of(2)
    one.services.add(NAV)
    other.services.add(Service(id="nav", version=9))
    one.users.add_service(ANN, "nav")
    one.traffic.set("in", 1, 1)
    other.services.remove("nav")
    assert one.services.get("nav") == NAV
    assert (other.users.all(), other.traffic.all(), other.services.all()) == ([], [], [])


def test_a_transaction_happens_as_a_whole(database: Database, aos: Tables) -> None:
    def install(tables: Tables) -> int:
        tables.services.add(NAV)
        tables.users.add_service(ANN, "nav")
        tables.traffic.set("in", 1, 1)
        assert tables.traffic.get("in").value == 1
        return len(tables.services.all())

    assert database.transact(1, install) == 1
    assert aos.users.services(ANN) == [NAV]


def test_a_transaction_that_fails_has_not_happened(database: Database, aos: Tables) -> None:
    def install(tables: Tables) -> None:
        tables.services.add(NAV)
        tables.traffic.set("in", 1, 1)
        tables.users.add_service(ANN, "nav")
        tables.users.add_service(ANN, "nav")

    with pytest.raises(ExistsError):
        database.transact(1, install)
    assert (aos.services.all(), aos.users.all(), aos.traffic.all()) == ([], [], [])
    aos.services.add(NAV)


def test_a_transaction_may_go_on_after_something_it_asked_for_was_refused(database: Database) -> None:
    def install(tables: Tables) -> str:
        tables.services.add(NAV)
        try:
            tables.layers.get("x")
        except NotExistError:
            tables.layers.add(Layer(digest="x"))
        return tables.layers.get("x").digest

    assert database.transact(1, install) == "x"


def test_a_transaction_within_a_transaction_is_an_error_and_not_a_standstill(database: Database) -> None:
    with pytest.raises(AosDatabaseError, match="Use the tables that the function was given"):
        database.transact(1, lambda _: database.of(1).services.add(NAV))


def test_what_a_closed_database_is_asked_is_an_error(location: str) -> None:
    database = Database.open(location)
    database.close()
    database.close()
    for call in (database.of(1).services.all, lambda: database.of(1).traffic.set("a", 1, 1)):
        with pytest.raises(AosDatabaseError, match="after it had been closed"):
            call()


# -- Instances ------------------------------------------------------------------------------------------


def test_an_instance_is_added_changed_and_removed(aos: Tables) -> None:
    first = Instance(
        service_id="nav", subject_id="ann", instance_id="i-1", storage_quota=2**40, state_quota=64
    )
    second = Instance(service_id="nav", subject_id="ann", instance=1)
    aos.instances.add(second)
    aos.instances.add(first)
    assert aos.instances.all() == [first, second]
    with pytest.raises(ExistsError, match="instance 1 of service 'nav' for 'ann' exists already"):
        aos.instances.add(second)
    aos.instances.set_quotas("nav", "ann", 1, storage=5, state=6)
    aos.instances.set_state_checksum("nav", "ann", checksum=b"\0\xff")
    changed = aos.instances.get("nav", "ann", 1)
    assert (changed.storage_quota, changed.state_quota) == (5, 6)
    assert aos.instances.get("nav", "ann").state_checksum == b"\0\xff"
    aos.instances.remove("nav", "ann")
    aos.instances.remove("nav", "ann")
    assert aos.instances.all() == [changed]


def test_what_is_not_there_of_an_instance_cannot_be_changed(aos: Tables) -> None:
    for attempt in (
        lambda: aos.instances.get("nav", "ann"),
        lambda: aos.instances.set_quotas("nav", "ann", storage=1, state=1),
        lambda: aos.instances.set_state_checksum("nav", "ann", checksum=b""),
    ):
        with pytest.raises(NotExistError, match="instance 0 of service 'nav' for 'ann' does not exist"):
            attempt()
