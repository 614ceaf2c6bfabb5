from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import debian
import pytest


class PostgresServer:
    """A server of our own on a UNIX socket, which ends with the test run."""

    def __init__(self, programs: Path, folder: Path, user: str | None):
        self._programs, self._folder, self._user = programs, folder, user
        self._process = None

    def initialize(self):
        data = ("-D", "data", "-U", "statehold", "--auth=trust", "--encoding=UTF8", "--no-locale")
        self._run("initdb", *data, "--no-sync")

    def start(self):
        # Ended by the system, should the test run be killed.
        leash = ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []
        # What a test kills is a process, never the machine: nothing has to wait for a disk.
        settings = {"listen_addresses": "", "unix_socket_directories": self._folder, "max_connections": 50}
        settings["fsync"] = "off"
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*leash, self._programs / "postgres", "-D", "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as_user(),
            )
        import psycopg

        end = time.monotonic() + 120
        while True:
            try:
                psycopg.connect(self.conninfo).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def stop(self, number: int = signal.SIGINT):
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(120)
            self._process = None

    @property
    def conninfo(self) -> str:
        return f"host={self._folder} user=statehold dbname=postgres"

    def schema(self, name: str) -> str:
        """Return the conninfo of an empty schema."""
        import psycopg

        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{self.conninfo} options='-c search_path={name}'"

    def _run(self, program, *arguments):
        subprocess.run(
            [self._programs / program, *arguments], check=True, capture_output=True, **self._as_user()
        )

    def _as_user(self):
        who = {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid} if self._user else {}
        return {"cwd": self._folder, "extra_groups": [] if self._user else None, **who}


def _programs() -> Path | None:
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    return max(found, key=lambda path: [int(part) for part in path.parts if part.isdigit()], default=None)


@pytest.fixture(scope="session")
def postgres():
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'statehold[postgres]'")
    if reason := debian.missing("postgresql", _programs):
        pytest.skip(f"no PostgreSQL: {reason}")
    programs = _programs()
    user = None
    if os.getuid() == 0:  # as which PostgreSQL refuses to run
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = next((name for name in ("postgres", "nobody") if name in names), None)
        if user is None:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")
    folder = Path(tempfile.mkdtemp(prefix="statehold-postgres-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if user is not None:
            shutil.chown(folder, user)
        server = PostgresServer(programs, folder, user)
        try:
            server.initialize()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"initdb failed: {error.stderr.decode(errors='replace')[-300:]}")
        server.start()
        stack.callback(server.stop)
        yield server
