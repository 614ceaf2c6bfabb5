from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
from sqlalchemy import (
    Boolean,
    Connection,
    Integer,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from statehold_aos._state._facts import Asked, Facts, Keep, Kind, Pending, Why
from statehold_aos.database import Database
from statehold_aos.database._many import Many
from statehold_aos.database._schema import TABLES, WORKSPACE
from statehold_aos.database._state_tables import STATES, STATES_KEPT
from statehold_aos.database._statements import upsert
from statehold_aos.gateway import ClaimId, checksum_of

_KEY: Final = (WORKSPACE, "service", "users")
_SIZE: Final = 28  # of a checksum
_OTHERS: Final = tuple(column.name for column in STATES.c if column.name not in (*_KEY, "home"))


@attrs.frozen(kw_only=True)
class Version:
    """A version of a state that is kept.

    Attributes:
        kind: why: `accepted`, `rejected`, or the one that gave way: `local` or `cloud`.
        checksum: SHA3-224 of the state.
        at: when it was kept, in milliseconds since 1970.
        state: the version itself.

    """

    kind: str
    checksum: bytes
    at: int
    state: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Store:
    """The facts of one storage's claims, what waits to be sent, and versions, in the AOS database.

    Attributes:
        database: where they are.
        home: whose they are: those of another home are left alone.
        versions: how many accepted versions of a claim are kept, and how many others.
        now: milliseconds since 1970.

    """

    database: Database
    home: str
    versions: int
    now: Callable[[], int]

    def load(self) -> list[Facts]:
        """Return what is known of all claims."""
        statement = select(STATES).where(STATES.c.home == self.home)
        rows = self.database.read(lambda connection: connection.execute(statement).mappings().all())
        return [_facts(row) for row in rows]

    def known(self, claim: ClaimId) -> bytes | None:
        """Return the checksum that a Service Manager has noted for a claim."""
        users = TABLES["users"]
        own = and_(*(users.c[name] == value for name, value in _user(claim).items()))
        statement = select(users.c.stateCheckSum).where(own)
        found: bytes | None = self.database.read(lambda one: one.execute(statement).scalar())
        return found if found and len(found) == _SIZE else None

    def save(
        self,
        facts: Sequence[Facts],
        kept: Iterable[tuple[ClaimId, Keep]] = (),
        gone: Sequence[ClaimId] = (),
        *,
        fresh: Iterable[ClaimId] = (),
        accepted: Iterable[Facts] | None = None,
    ) -> None:
        """Write facts and versions, and forget claims with theirs, durable together when it returns.

        Args:
            facts: what is known of claims,
            kept: versions of states to be kept,
            gone: and claims to be forgotten.
            fresh: those of *facts* that may be another home's until now.
            accepted: those of *facts* where another state is accepted now; None: maybe all.

        """
        noted = [
            (one.id.workspace, one.id.users, one.id.service, one.accepted)
            for one in (facts if accepted is None else accepted)
            if one.accepted is not None
        ]
        homes = [(*claim, self.home) for claim in fresh]
        versions = self._versions(kept)
        forgotten = [_bound(_claim(claim)) for claim in gone]

        def work(connection: Connection) -> None:
            if facts:
                _SAVE(connection, (_row(one, self.home) for one in facts))
            for statement, rows in ((_MOVE, homes), (_NOTE, noted)):
                if rows:
                    statement(connection, rows)
            if versions:
                for statement in (_DROP, _KEEP, _TRIM):
                    statement(connection, versions)
            for table in (STATES, STATES_KEPT):
                for bound in forgotten:
                    connection.execute(delete(table).where(_of_claim(table)), bound)

        if facts or versions or forgotten:
            self.database.write(work)

    def _versions(self, kept: Iterable[tuple[ClaimId, Keep]]) -> list[tuple[Any, ...]]:
        """Return the rows of versions, none of them twice: the last one counts."""
        found: dict[tuple[ClaimId, bool, bytes], tuple[Any, ...]] = {}
        at = self.now()
        for claim, keep in kept:
            accepted, checksum = keep.kind is Kind.ACCEPTED, checksum_of(keep.state)
            found.pop((claim, accepted, checksum), None)
            found[claim, accepted, checksum] = (
                *claim,
                keep.kind.value,
                accepted,
                checksum,
                at,
                keep.state,
                self.versions,
            )
        return list(found.values())

    def kept(self, claim: ClaimId) -> list[Version]:
        """Return the versions of a claim that are kept, the newest first."""
        statement = select(STATES_KEPT).where(_of_claim(STATES_KEPT)).order_by(STATES_KEPT.c.number.desc())
        rows = self.database.read(lambda one: one.execute(statement, _bound(_claim(claim))).all())
        return [Version(kind=row.kind, checksum=row.checksum, at=row.at, state=row.state) for row in rows]


def _claim(claim: ClaimId) -> dict[str, Any]:
    return dict(zip(_KEY, claim, strict=True))


def _user(claim: ClaimId) -> dict[str, Any]:
    return {WORKSPACE: claim.workspace, "users": claim.users, "serviceid": claim.service}


def _bound(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"k_{name}": value for name, value in values.items()}


def _of_claim(table: Table) -> Any:
    return and_(*(table.c[name] == bindparam(f"k_{name}") for name in _KEY))


def _given(name: str) -> Any:
    """Return what a row of `Store._versions` gives for a column."""
    return bindparam(f"k_{name}", type_=STATES_KEPT.c[name].type)


#: Whether a version is an accepted one, as that of the row is: of both kinds the newest are kept.
_ALIKE: Final = (STATES_KEPT.c.kind == Kind.ACCEPTED.value) == bindparam("k_accepted", type_=Boolean())
_VERSION: Final = tuple(
    f"k_{name}" for name in (*_KEY, "kind", "accepted", "checksum", "at", "state", "versions")
)
_USERS: Final = TABLES["users"]
_COLUMNS: Final = (
    *(*_KEY, "home", "stateLimit", "accepted", "stamp", "sequence", "suspect", "sent", "message"),
    *("asked", "why", "pending", "pendingState", "correlation", "base", "changed", "unwritten"),
)
_SAVE: Final = Many(lambda one: upsert(one, STATES, _KEY, _OTHERS), _COLUMNS)
#: Besides, because it has an index, which is written again whenever its column is, be it with the same.
_MOVE: Final = Many(
    lambda _: (
        update(STATES).where(_of_claim(STATES), STATES.c.home != bindparam("h")).values(home=bindparam("h"))
    ),
    (*(f"k_{name}" for name in _KEY), "h"),
)
_NOTE: Final = Many(
    lambda _: (
        update(_USERS)
        .where(
            *(_USERS.c[name] == bindparam(f"k_{name}") for name in (WORKSPACE, "users", "serviceid")),
            or_(_USERS.c.stateCheckSum.is_(None), _USERS.c.stateCheckSum != bindparam("c")),
        )
        .values(stateCheckSum=bindparam("c"))
    ),
    ("k_workspace", "k_users", "k_serviceid", "c"),
)
_DROP: Final = Many(
    lambda _: delete(STATES_KEPT).where(
        _of_claim(STATES_KEPT), _ALIKE, STATES_KEPT.c.checksum == _given("checksum")
    ),
    _VERSION,
)


def _keep(_: Connection) -> Any:
    new = select(
        *(_given(name) for name in _KEY),
        func.coalesce(func.max(STATES_KEPT.c.number), 0) + 1,
        *(_given(name) for name in ("kind", "checksum", "at", "state")),
    ).where(_of_claim(STATES_KEPT))
    return insert(STATES_KEPT).from_select([*_KEY, "number", "kind", "checksum", "at", "state"], new)


def _trim(_: Connection) -> Any:
    older = (
        select(STATES_KEPT.c.number)
        .where(_of_claim(STATES_KEPT), _ALIKE)
        .order_by(STATES_KEPT.c.number.desc())
        .limit(1)
        .offset(bindparam("k_versions", type_=Integer()))
    )
    return delete(STATES_KEPT).where(
        _of_claim(STATES_KEPT), _ALIKE, STATES_KEPT.c.number <= older.scalar_subquery()
    )


_KEEP: Final = Many(_keep, _VERSION)
_TRIM: Final = Many(_trim, _VERSION)


def _row(facts: Facts, home: str) -> tuple[Any, ...]:
    """Return what `_COLUMNS` have."""
    pending, asked = facts.pending, facts.asked
    known = (
        *facts.id,
        home,
        facts.limit,
        facts.accepted,
        facts.stamp,
        facts.sequence,
        facts.suspect,
        b"".join(facts.sent) or None,
        facts.message or None,
    )
    asks = (None, None) if asked is None else (asked.correlation, asked.why.value)
    if pending is None:
        return *known, *asks, None, None, None, None, None, False
    waits = (pending.checksum, pending.state, pending.correlation, pending.base, pending.changed)
    return *known, *asks, *waits, pending.unwritten


def _facts(row: Mapping[Any, Any]) -> Facts:
    sent: bytes = row["sent"] or b""
    pending = None
    if row["pending"] is not None:
        pending = Pending(
            state=row["pendingState"],
            checksum=row["pending"],
            correlation=row["correlation"],
            sequence=row["sequence"],
            base=row["base"],
            changed=row["changed"],
            unwritten=row["unwritten"],
        )
    return Facts(
        id=ClaimId(*(row[name] for name in _KEY)),
        limit=row["stateLimit"],
        accepted=row["accepted"],
        stamp=row["stamp"],
        sequence=row["sequence"],
        pending=pending,
        asked=None if row["asked"] is None else Asked(row["asked"], Why(row["why"])),
        suspect=row["suspect"],
        sent=tuple(sent[at : at + _SIZE] for at in range(0, len(sent), _SIZE)),
        message=row["message"] or "",
    )
