"""Programs live on the mount: fio, git, SQLite."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest
import qsfs_mounts
from debian import need


def run(*command: object, cwd: Path | None = None) -> str:
    words = list(map(str, command))
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("engine", ["psync", "mmap"])
def test_fio_finds_what_it_wrote(qsfs, mounted_folder, engine):
    need("fio", "fio")
    run(
        *("fio", "--name=verified", f"--directory={mounted_folder}", "--size=3M", "--bs=4k", "--rw=randrw"),
        *("--numjobs=2", "--thread", f"--ioengine={engine}", "--fsync=64", "--randseed=7"),
        *(
            "--verify=crc32c",
            "--verify_fatal=1",
            "--do_verify=1",
            "--verify_state_save=0",
            "--fallocate=none",
        ),
    )


def test_git_clones_commits_and_packs(qsfs, mounted_folder, tmp_path):
    need("git", "git")
    git = ("git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always")
    origin, clone = tmp_path / "origin", mounted_folder / "clone"
    run(*git, "init", "-q", "-b", "main", origin)
    for i in range(40):
        (origin / f"folder-{i % 4}").mkdir(exist_ok=True)
        (origin / f"folder-{i % 4}" / f"file-{i}").write_text(f"{i}\n" * 50 * (i + 1))
    run(*git, "add", ".", cwd=origin)
    run(*git, "commit", "-q", "-m", "first", cwd=origin)
    run(*git, "clone", "-q", "--no-local", origin, clone)
    assert run(*git, "status", "--porcelain", cwd=clone) == ""
    (clone / "folder-0" / "file-0").write_text("changed")
    (clone / "new").symlink_to("folder-0/file-0")
    run(*git, "add", ".", cwd=clone)
    run(*git, "commit", "-q", "-m", "second", cwd=clone)
    run(*git, "checkout", "-q", "-b", "other", "HEAD~1", cwd=clone)
    run(*git, "checkout", "-q", "main", cwd=clone)
    run(*git, "gc", "-q", cwd=clone)
    run(*git, "fsck", "--strict", cwd=clone)
    assert run(*git, "status", "--porcelain", cwd=clone) == ""
    assert (clone / "new").read_text() == "changed"


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_of_sqlite_is_written_by_four_at_once(qsfs, mounted_folder, mode):
    path = mounted_folder / "rows.db"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=qsfs_mounts.PATIENCE, isolation_level=None)

    first = connect()
    assert first.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)
    first.execute("CREATE TABLE rows (writer INTEGER, number INTEGER, text TEXT)")
    first.close()
    failures = []

    def write(writer: int) -> None:
        try:
            connection = connect()
            for number in range(12):
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO rows VALUES (?, ?, ?)", (writer, number, "x" * 3000))
                connection.execute("COMMIT")
            connection.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(qsfs_mounts.PATIENCE)
    assert failures == []
    last = connect()
    assert last.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert last.execute("SELECT count(*), sum(length(text)) FROM rows").fetchone() == (48, 48 * 3000)
    last.close()
