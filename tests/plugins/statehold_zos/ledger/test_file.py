from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from zos_claims import namespace, settled, space

from statehold_zos.ledger import Ledger
from statehold_zos.model import DiskType, ZosError


def test_what_is_reserved_is_there_after_it_was_closed_and_opened(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.pools.put("a", type=DiskType.SSD, size=100)
        claim = settled(ledger, space(60))
    with Ledger(tmp_path) as ledger:
        assert ledger.claims.all() == [claim]
        assert ledger.pools.get("a").free == 40


@pytest.mark.parametrize(("free", "hint"), [(0, "is full: make room on it"), (2**30, "")])
def test_a_disk_that_is_full_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, hint: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR | 19 << 8
    with (
        Ledger(tmp_path) as ledger,
        pytest.raises(ZosError, match="disk I/O error") as told,
        ledger._file.read(),
    ):
        raise error
    assert told.value.hint.endswith(hint)
    assert bool(told.value.hint) is bool(hint)


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "node"
    with Ledger(folder):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_many_open_a_new_one_at_once(tmp_path: Path) -> None:
    def use(number: int) -> None:
        with Ledger(tmp_path / "node") as ledger:
            ledger.pools.put(f"pool-{number}", type=DiskType.SSD, size=100)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
    with Ledger(tmp_path / "node") as ledger:
        assert len(ledger.pools.all()) == 8
        assert len(list((tmp_path / "node" / "workers").iterdir())) == 1, "of those who ended none is left"


def test_a_closed_ledger_says_so_and_is_closed_twice_in_peace(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.close()
    ledger.close()
    with pytest.raises(ZosError, match="is closed"):
        ledger.pools.all()


def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ZosError, match="is of format 99, expected 1 or less"):
        Ledger(tmp_path)


def test_a_file_that_is_none_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database" * 1000)
    with pytest.raises(ZosError, match=r"ledger\.db: file is not a database"):
        Ledger(tmp_path)


def test_a_folder_that_cannot_be_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "node"):
        with pytest.raises(ZosError, match=f"the ledger in {folder} cannot be opened: "):
            Ledger(folder)


def test_totals_that_somebody_else_changed_are_found(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.pools.put("a", type=DiskType.SSD, size=100)
        settled(ledger, space(60))
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
            connection.execute("UPDATE pools SET reserved = 50, free = 50")
        assert ledger.check() == ["pool a says 50 bytes in 1 claims, its claims say 60 in 1"]


def test_a_namespace_whose_server_is_none_is_found(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.pools.put("a", type=DiskType.HDD, size=100)
        made = ledger.namespaces.reserve(namespace(5), overhead=10)
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
            connection.execute("UPDATE claims SET kind = 'space' WHERE id = ?", (made.server,))
        assert ledger.check() == [
            f"{made.id} has the server {made.server!r}, which is none in pool a",
            f"pool a has the server {made.server!r}, which is none in pool a",
        ]
