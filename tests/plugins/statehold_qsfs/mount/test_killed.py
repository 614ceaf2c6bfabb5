"""What was acknowledged is there after the mount's process was killed, and a dead mount is cleaned up."""

from __future__ import annotations

import errno
import json
import os
import random
import sqlite3
import subprocess
import sys

import pytest
import qsfs_mounts

# Four writers; each says what is durable, in one line, and ends when the files are gone.
WRITER = """
import os, sys, threading
folder, run = sys.argv[1], int(sys.argv[2])
lock = threading.Lock()
def say(text):
    with lock:
        os.write(1, text.encode() + b"\\n")
def write(writer):
    log = os.open(f"{folder}/log-{writer}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    number = 0
    while True:
        number += 1
        name = f"{folder}/file-{writer}-{number % 7}"
        fd = os.open(name + ".new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b"%06d %06d\\n" % (run, number) * (1 + number * 389 % 4000))
        os.fsync(fd)
        os.close(fd)
        os.rename(name + ".new", name)
        fd = os.open(folder, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        say(f"file {writer} {number % 7} {number}")
        os.write(log, b"%06d %06d\\n" % (run, number))
        os.fdatasync(log)
        say(f"log {writer} {number}")
        open(f"{folder}/loose-{writer}-{number % 3}", "w").write("never synced" * 999)
def guarded(writer):
    try:
        write(writer)
    except OSError:
        pass
threads = [threading.Thread(target=guarded, args=(writer,)) for writer in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

DATABASE = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute(f"PRAGMA journal_mode = {sys.argv[2]}")
connection.execute("PRAGMA synchronous = EXTRA")  # FULL does not sync the name of the journal
connection.execute("CREATE TABLE IF NOT EXISTS rows (number INTEGER, text TEXT)")
try:
    while True:
        number = connection.execute("SELECT count(*) FROM rows").fetchone()[0]
        connection.execute("INSERT INTO rows VALUES (?, ?)", (number, str(number) * 500))
        os.write(1, b"%d\\n" % (number + 1))
except (sqlite3.Error, OSError):
    os._exit(0)
"""


def acknowledged(script, mount, lines, *arguments):
    """Run a writer, kill the mount after so many lines, and return all lines."""
    command = [sys.executable, "-ISc", script, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
        try:
            said = []
            for line in writer.stdout:
                said.append(line.split())
                if len(said) == lines:
                    mount.kill()
            assert len(said) >= lines, writer.stderr.read()
            writer.wait(qsfs_mounts.PATIENCE)
        finally:
            writer.kill()
    return said


@pytest.mark.parametrize(
    "kills", [3, pytest.param(200, marks=pytest.mark.soak)], ids=lambda kills: f"{kills}-times"
)
def test_what_was_synced_survives_kills(tmp_path, kills):
    numbers, durable = random.Random(kills), {}
    with qsfs_mounts.mounted(tmp_path) as mount:
        for run in range(kills):
            said = acknowledged(WRITER, mount, numbers.randrange(5, 80), mount.point, run)
            with pytest.raises(OSError, match=os.strerror(errno.ENOTCONN)):
                os.listdir(mount.point)
            mount.start()
            for kind, *rest in said:
                numbered = list(map(int, rest))
                durable[kind, *numbered[:-1]] = (run, numbered[-1])
            check(mount.point, durable)
    assert "nothing is wrong" in qsfs_mounts.qsfs("doctor", "--deep", mount.store).stdout


def check(point, durable):
    names = set(os.listdir(point))
    for (kind, *which), least in durable.items():
        if kind == "file":
            lines = (point / f"file-{which[0]}-{which[1]}").read_text().splitlines()
            assert len(set(lines)) == 1
            found = tuple(map(int, lines[0].split()))
            assert found >= least
            assert len(lines) == 1 + found[1] * 389 % 4000
        else:
            lines = (point / f"log-{which[0]}").read_text().splitlines()
            entries = [tuple(map(int, line.split())) for line in lines]
            assert entries == sorted(set(entries))
            assert least in entries
    for name in names:
        if name.startswith("loose"):
            assert (point / name).read_text() in {"", "never synced" * 999}


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.soak)], ids=["once", "often"])
def test_a_database_of_sqlite_survives_kills(tmp_path, mode, kills):
    with qsfs_mounts.mounted(tmp_path) as mount:
        path = mount.point / "rows.db"
        for _ in range(kills):
            said = acknowledged(DATABASE, mount, 15, path, mode)
            mount.start()
            with sqlite3.connect(path) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                (count,) = connection.execute("SELECT count(*) FROM rows").fetchone()
                assert count >= int(said[-1][0])
            connection.close()


def test_what_nobody_syncs_goes_to_the_disk_by_itself(tmp_path):
    """Also what an open file has in the kernel's pages only, which would keep it for half a minute."""
    with qsfs_mounts.mounted(tmp_path, "--flush", "0.2") as mount:
        closed = mount.point / "closed"
        closed.write_bytes(b"c" * 50_000)
        with open(mount.point / "open", "wb", buffering=0) as file:
            file.write(b"o" * 50_000)
            qsfs_mounts.wait_until(lambda: known(mount)["used"] >= 100_000)
            for name in ("a", "b"):  # a commit may have been under way; the one after it has all
                commits = known(mount)["commits"]
                (mount.point / name).touch()
                qsfs_mounts.wait_until(lambda before=commits: known(mount)["commits"] > before)
            mount.kill()
        mount.start()
        assert closed.read_bytes() == b"c" * 50_000
        assert (mount.point / "open").read_bytes() == b"o" * 50_000


def known(mount):
    return json.loads(os.getxattr(mount.point, "user.qsfs.status"))["files"]
