from __future__ import annotations

from msgspec.structs import replace

from statehold_aos._state._facts import Asked, Facts, Keep, Kind, Pending, Why
from statehold_aos._state._store import Store
from statehold_aos.database import Database, Service
from statehold_aos.gateway import ClaimId, checksum_of

ANN, BOB = ClaimId(1, "nav\0", '["ann"]'), ClaimId(1, "nav\0", '["bob"]')
FULL = Facts(
    id=ANN,
    limit=2**40,
    accepted=checksum_of(b"a"),
    stamp=2**60,
    sequence=2**50,
    pending=Pending(
        state=b"\0\xff",
        checksum=checksum_of(b"\0\xff"),
        correlation="c",
        sequence=2**50,
        base=2**60,
        changed=2**45,
        unwritten=True,
    ),
    asked=Asked("d", Why.STALE),
    suspect=checksum_of(b"s"),
    sent=(checksum_of(b"1"), checksum_of(b"2")),
    message="é",
)
BARE = Facts(id=BOB, limit=0)


def store(database: Database, home: str = "home") -> Store:
    return Store(database=database, home=home, versions=2, now=lambda: 7)


def test_facts_come_back_as_they_were_saved(location: str) -> None:
    with Database.open(location) as database:
        store(database).save([FULL, BARE])
        store(database, "another").save([replace(BARE, id=ClaimId(2, "nav", "x"))])
    with Database.open(location) as database:
        assert sorted(store(database).load(), key=lambda one: one.id) == [FULL, BARE]
        store(database).save([replace(FULL, pending=None, asked=None)])
        assert {one.pending for one in store(database).load()} == {None}


def test_a_claim_is_of_the_home_that_has_begun_with_it_last(location: str) -> None:
    with Database.open(location) as database:
        store(database, "another").save([FULL, BARE])
        own = store(database)
        own.save([FULL], fresh=[ANN])
        assert (own.load(), store(database, "another").load()) == ([FULL], [BARE])
        own.save([], (), [ANN])
        store(database, "another").save([FULL])
        own.save([FULL], fresh=[ANN])
        assert own.load() == [FULL]


def test_of_each_kind_the_newest_versions_are_kept_and_none_twice(location: str) -> None:
    with Database.open(location) as database:
        states = store(database)
        for number in (1, 2, 3, 2):
            states.save((), [(ANN, Keep(Kind.ACCEPTED, b"%d" % number))])
        for number, kind in enumerate((Kind.LOCAL, Kind.REJECTED, Kind.CLOUD)):
            states.save((), [(ANN, Keep(kind, b"%d" % number)), (BOB, Keep(kind, b""))])
        kept = [(one.kind, one.state, one.at) for one in states.kept(ANN)]
        assert kept == [
            ("cloud", b"2", 7),
            ("rejected", b"1", 7),
            ("accepted", b"2", 7),
            ("accepted", b"3", 7),
        ]
        states.save([BARE], (), [ANN])
        assert states.kept(ANN) == []
        assert len(states.kept(BOB)) == 1
        assert states.load() == [BARE]


def test_the_accepted_checksum_is_that_of_the_users_too(location: str) -> None:
    with Database.open(location) as database:
        aos = database.of(1)
        aos.services.add(Service(id=ANN.service))
        aos.users.add_service(["ann"], ANN.service)
        assert store(database).known(ANN) is None
        store(database).save([FULL])
        assert aos.users.get(["ann"], ANN.service).state_checksum == FULL.accepted
        assert store(database).known(ANN) == FULL.accepted
        aos.users.set_state_checksum(["ann"], ANN.service, b"of another kind")
        assert store(database).known(ANN) is None
