from __future__ import annotations

from typing import Final

#: Each is run once, in a transaction of its own; `user_version` says how many were.
MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE pools (
        id       TEXT PRIMARY KEY,
        type     TEXT NOT NULL,
        size     INTEGER NOT NULL,
        budget   INTEGER NOT NULL,
        reserved INTEGER NOT NULL DEFAULT 0,
        claims   INTEGER NOT NULL DEFAULT 0,
        free     INTEGER NOT NULL CHECK (free = budget - reserved),
        state    TEXT NOT NULL,
        reason   TEXT NOT NULL DEFAULT '',
        server   TEXT NOT NULL DEFAULT '',
        served   INTEGER NOT NULL GENERATED ALWAYS AS (server <> '') VIRTUAL
    ) WITHOUT ROWID;
    CREATE INDEX by_room ON pools (state, type, free, id);
    CREATE INDEX by_room_served ON pools (state, type, served, free, id);
    -- All that `idlest` reads: where those with few claims are full, many entries are passed over.
    CREATE INDEX by_claims ON pools (state, type, claims, free DESC, id);
    CREATE TABLE claims (
        id     TEXT PRIMARY KEY,
        kind   TEXT NOT NULL,
        pool   TEXT NOT NULL REFERENCES pools,
        type   TEXT NOT NULL,
        size   INTEGER NOT NULL,
        room   INTEGER NOT NULL CHECK (room >= 0),
        state  TEXT NOT NULL,
        owner  TEXT NOT NULL,
        name   TEXT NOT NULL,
        mode   TEXT,
        server TEXT NOT NULL DEFAULT '',
        due    REAL NOT NULL DEFAULT 0,
        worker TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
    CREATE INDEX claims_of_pool ON claims (pool);
    CREATE INDEX claims_of_owner ON claims (owner);
    CREATE INDEX claims_of_kind ON claims (kind) WHERE kind <> 'space';
    CREATE UNIQUE INDEX named ON claims (owner, name, kind)
        WHERE name <> '' AND state IN ('pending', 'ready');
    CREATE INDEX claims_of_server ON claims (server) WHERE server <> '';
    CREATE INDEX worked_on ON claims (worker) WHERE worker <> '';
    CREATE INDEX unfinished ON claims (state) WHERE state <> 'ready';
    CREATE TABLE sealed (
        id     TEXT PRIMARY KEY REFERENCES claims ON DELETE CASCADE,
        secret BLOB NOT NULL,
        frozen INTEGER NOT NULL,
        port   INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE notes (
        topic TEXT NOT NULL,
        key   TEXT NOT NULL,
        text  TEXT NOT NULL,
        PRIMARY KEY (topic, key)
    ) WITHOUT ROWID;
    """,
)
