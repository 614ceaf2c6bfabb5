"""An answer that takes long keeps nobody else waiting."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import qsfs_mounts

# Reads of a file and syncs wait until a path is there.
SLOW = """
import sys, time
from pathlib import Path
from statehold_qsfs.mount import Session, opened

class Slow:
    def __init__(self, inodes, gate):
        self._inodes, self._gate = inodes, gate
    def __getattr__(self, name):
        return getattr(self._inodes, name)
    def read(self, ino, size, offset):
        while not self._gate.exists():
            time.sleep(0.01)
        return self._inodes.read(ino, size, offset)
    def fsync(self, ino):
        self.read(ino, 0, 0)
        self._inodes.fsync(ino)

with opened(Path(sys.argv[1])) as files:
    session = Session(Slow(files.inodes, Path(sys.argv[3])), Path(sys.argv[2]), source="slow")
    session.mount()
    print("is mounted", flush=True)
    session.serve()
"""


def test_others_are_answered_while_reads_and_syncs_wait(tmp_path):
    qsfs_mounts.needed()
    point, gate = tmp_path / "point", tmp_path / "gate"
    point.mkdir()
    command = [sys.executable, "-c", SLOW, str(tmp_path / "store"), str(point), str(gate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "is mounted\n"
            for i in range(6):
                (point / str(i)).write_bytes(b"%d" % i * 9000)
            fds = [os.open(point / str(i), os.O_RDWR) for i in range(6)]
            for fd in fds[:3]:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            found = {}
            waiting = [
                *(
                    threading.Thread(target=lambda i=i: found.update({i: os.pread(fds[i], 9, 0)}))
                    for i in range(3)
                ),
                *(threading.Thread(target=lambda fd=fd: os.fsync(fd)) for fd in fds[3:]),
            ]
            for thread in waiting:
                thread.start()
            for i in range(50):
                (point / f"other-{i}").touch()
            assert len(os.listdir(point)) == 56
            assert found == {}
            assert all(thread.is_alive() for thread in waiting)
            gate.touch()
            for thread in waiting:
                thread.join(qsfs_mounts.PATIENCE)
            assert found == {i: b"%d" % i * 9 for i in range(3)}
            for fd in fds:
                os.close(fd)
        finally:
            gate.touch()
            qsfs_mounts.run("umount", "--lazy", point, check=False)
            process.wait(qsfs_mounts.PATIENCE)
