"""Databases as Service Managers have written them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

# As the seed's page has it, mistakes included.
SEED = """
CREATE TABLE config (version INTEGER, cursor TEXT);
CREATE TABLE services (
    id TEXT NOT NULL PRIMARY KEY, version INTEGER, serviceProvide TEXT, path TEXT, unit TEXT, user TEXT,
    hostname TEXT, permissions TEXT, state INTEGER, status INTEGER, startat TIMESTAMP, ttl INTEGER,
    alertRules TEXT, ulLimit INTEGER, dlLimit INTEGER, ulSpeed INTEGER, dlSpeed INTEGER,
    storageLimit INTEGER, stateLimit INTEGER, layerList TEXT, deviceResources TEXT, service TEXT);
CREATE TABLE users (
    users TEXT NOT NULL, serviceid TEXT NOT NULL, storageFolder TEXT, stateCheckSum BLOB,
    PRIMARY KEY(users, serviceid));
CREATE TABLE trafficmonitor (chain TEXT NOT NULL PRIMARY KEY, time TIMESTAMP, value INTEGER);
CREATE TABLE layers (digest TEXT NOT NULL PRIMARY KEY, layerId TEXT, path TEXT, osVersion TEXT);
"""
SEED_ROWS = """
INSERT INTO config VALUES (3, 's=1');
INSERT INTO services VALUES ('nav', 3, 'acme', '/s/nav', 'aos_nav.service', 'user5000', 'navhost', '{}', 1, 0,
    '2020-10-29 12:34:56.789012345+02:00', 30, '', 1, 2, 3, 4, 5, 6, '["sha256:1"]', '', 'aos_nav.service');
INSERT INTO services VALUES ('idle', 1, 'acme', '/s/idle', '', '', '', '', 0, 0, '0001-01-01 00:00:00+00:00',
    30, '', 0, 0, 0, 0, 0, 0, '', '', '');
INSERT INTO users VALUES ('["ann","bob"]', 'nav', '/storages/1', x'0102');
INSERT INTO users VALUES ('["ann","bob"]', 'idle', '', x'');
INSERT INTO trafficmonitor VALUES ('AOS_IN', '2020-10-29 12:34:56+00:00', 12345678901);
INSERT INTO layers VALUES ('sha256:1', 'base', '/l/1', '1');
"""

# As release 2.2 makes it, and what version 4 adds.
RELEASE_2_2 = """
CREATE TABLE config (version INTEGER, cursor TEXT, upgradeState INTEGER, upgradeData BLOB,
    upgradeVersion INTEGER);
CREATE TABLE services (
    id TEXT NOT NULL PRIMARY KEY, version INTEGER, serviceProvider TEXT, path TEXT, unit TEXT, uid INTEGER,
    gid INTEGER, hostName TEXT, permissions TEXT, state INTEGER, status INTEGER, startat TIMESTAMP,
    ttl INTEGER, alertRules TEXT, ulLimit INTEGER, dlLimit INTEGER, ulSpeed INTEGER, dlSpeed INTEGER,
    storageLimit INTEGER, stateLimit INTEGER, layerList TEXT, deviceResources TEXT, boardResources TEXT);
CREATE TABLE users (
    users TEXT NOT NULL, serviceid TEXT NOT NULL, storageFolder TEXT, stateCheckSum BLOB,
    overrideEnvVars TEXT, PRIMARY KEY(users, serviceid));
CREATE TABLE trafficmonitor (chain TEXT NOT NULL PRIMARY KEY, time TIMESTAMP, value INTEGER);
CREATE TABLE layers (
    digest TEXT NOT NULL PRIMARY KEY, layerId TEXT, path TEXT, osVersion TEXT, version INTEGER,
    timestamp TIMESTAMP, cached INTEGER, size INTEGER);
CREATE TABLE schema_migrations (version uint64, dirty bool);
INSERT INTO schema_migrations VALUES (4, 0);
INSERT INTO config VALUES (3, '', 0, x'5B5D', 3);
INSERT INTO services VALUES ('nav', 3, 'acme', '/s/nav', 'aos_nav.service', 5000, 5001, 'navhost', '{}', 1, 0,
    '2020-10-29 12:34:56.789+00:00', 30, '', 1, 2, 3, 4, 5, 6, '["sha256:1"]', '[]', '["can0"]');
INSERT INTO users VALUES ('["ann"]', 'nav', '/storages/1', x'0102', '{}');
INSERT INTO layers VALUES ('sha256:1', 'base', '/l/1', '1', 2, '2020-10-29 12:34:56+00:00', 1, 77);
"""


def write(file: Path, *scripts: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        for script in scripts:
            connection.executescript(script)


def dump(file: Path) -> list[str]:
    """Return all there is, as SQL, without what we note ourselves."""
    with closing(sqlite3.connect(file)) as connection:
        return sorted(line for line in connection.iterdump() if "aos_schema" not in line)


def rows(file: Path, table: str) -> list[dict[str, object]]:
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]
