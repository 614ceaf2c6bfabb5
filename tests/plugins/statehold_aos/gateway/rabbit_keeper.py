"""Runs a RabbitMQ server for as long as somebody holds a lock: `rabbit_keeper.py FOLDER PROGRAMS`.

All workers of a test run share the server; it ends when the last of them has, however that ends.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import trustme

#: Whose password is the name; `mute` may not write, and `nobody` may do nothing.
USERS = {"unit": (".*", ".*", ".*"), "mute": ("", "", ".*"), "nobody": None}
_SUBREAPER = 36
_SETTINGS = """\
listeners.tcp.1 = 127.0.0.1:{tcp}
listeners.ssl.1 = 127.0.0.1:{tls}
ssl_options.cacertfile = {folder}/ca.pem
ssl_options.certfile = {folder}/server.pem
ssl_options.keyfile = {folder}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
load_definitions = {folder}/definitions.json
num_acceptors.tcp = 2
num_acceptors.ssl = 2
vm_memory_high_watermark.absolute = 400MB
disk_free_limit.absolute = 1MB
collect_statistics_interval = 60000
log.console = true
log.console.level = warning
log.file = false
"""


def _password(name: str) -> str:
    salt = b"salt"
    return base64.b64encode(salt + hashlib.sha256(salt + name.encode()).digest()).decode()


def _definitions() -> dict[str, object]:
    rights = ("configure", "write", "read")
    return {
        "users": [{"name": one, "password_hash": _password(one), "tags": ""} for one in USERS],
        "vhosts": [{"name": "/"}],
        "permissions": [
            {"user": user, "vhost": "/", **dict(zip(rights, may, strict=True))}
            for user, may in USERS.items()
            if may is not None
        ],
    }


def certificates(folder: Path) -> None:
    """Write an authority, the certificates of a server and a unit, and an authority that nobody trusts."""
    ours, other = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "other.pem")
    issued = {
        "server": ours.issue_cert("127.0.0.1", "localhost"),
        "unit": ours.issue_cert("u1"),
        "stranger": other.issue_cert("u1"),
    }
    for name, one in issued.items():
        (folder / f"{name}.pem").write_bytes(b"".join(part.bytes() for part in one.cert_chain_pems))
        one.private_key_pem.write_to_path(folder / f"{name}.key")


def _ports(count: int) -> list[int]:
    """Return free ports that the system gives to nobody who asks for any."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found


class Keeper:
    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs = folder, programs
        self.epmd: subprocess.Popen[bytes] | None = None
        self.server: subprocess.Popen[bytes] | None = None
        self.epoch = 0

    def choose(self) -> None:
        tcp, tls, distribution, epmd = _ports(4)
        self.ports = {"tcp": tcp, "tls": tls}
        (self.folder / "rabbitmq.conf").write_text(_SETTINGS.format(folder=self.folder, **self.ports))
        own = {
            "HOME": "",
            "RABBITMQ_CONF_ENV_FILE": "environment",
            "RABBITMQ_CONFIG_FILE": "rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": "advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": "plugins",
            "RABBITMQ_MNESIA_BASE": "mnesia",
            "RABBITMQ_LOG_BASE": "log",
            "RABBITMQ_GENERATED_CONFIG_DIR": "generated",
            "RABBITMQ_PID_FILE": "pid",
        }
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            **{name: str(self.folder / file) for name, file in own.items()},
            "RABBITMQ_NODENAME": f"statehold{tcp}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def start(self) -> bool:
        """Start the server; False if it did not."""
        if self.epmd is None:
            port = self.environment["ERL_EPMD_PORT"]
            self.epmd = self.run(["epmd", "-address", "127.0.0.1", "-port", port], self.environment)
            # The server would start another one, which nobody would end.
            if not self.listens(int(port), self.epmd):
                return False
        own = "+S 1:1 +SDcpu 1:1 +SDio 1 -kernel inet_dist_use_interface {127,0,0,1}"
        # As under systemd, the server takes the place of its script.
        settings = {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": own, "RUNNING_UNDER_SYSTEMD": "true"}
        self.server = self.run([self.programs / "rabbitmq-server"], {**self.environment, **settings})
        if not self.listens(self.ports["tls"], self.server):
            return False
        self.epoch += 1
        self.tell({**self.ports, "pid": self.server.pid, "environment": self.environment})
        return True

    @staticmethod
    def listens(port: int, process: subprocess.Popen[bytes]) -> bool:
        end = time.monotonic() + 90
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            time.sleep(0.05)
        return False

    def run(self, command: list[object], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        leash = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        with (self.folder / "out").open("ab") as out:
            return subprocess.Popen(
                [*leash, *command],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def tell(self, what: dict[str, object]) -> None:
        new = self.folder / "state.new"
        new.write_text(json.dumps({"epoch": self.epoch, **what}))
        new.replace(self.folder / "state.json")

    def end(self) -> None:
        for process in (self.server, self.epmd):
            if process is not None:
                process.kill()
                process.wait()
        self.server = self.epmd = None

    def prepare(self) -> None:
        (self.folder / "environment").touch()
        (self.folder / "plugins").write_text("[].")
        (self.folder / "definitions.json").write_text(json.dumps(_definitions()))
        certificates(self.folder)
        for _ in range(3):
            self.choose()
            if self.start():
                return
            self.end()
        said = (self.folder / "out").read_text(errors="replace").strip()
        self.tell({"failed": said[-500:] or "it said nothing"})

    def keep(self) -> None:
        with (self.folder.parent / "rabbit.used").open("w") as used:
            try:
                try:
                    self.prepare()
                except Exception as error:
                    self.tell({"failed": repr(error)})
                while not self.unused(used):
                    stopped = self.server is not None and self.server.poll() is not None
                    if stopped and not (self.folder / "stay-down").exists():
                        self.start()
                    self.reap()
                    time.sleep(0.1)
            finally:
                self.end()
                shutil.rmtree(self.folder, ignore_errors=True)

    def reap(self) -> None:
        """Take in what the server has left."""
        own = {process.pid for process in (self.server, self.epmd) if process is not None}
        peek = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while (ended := os.waitid(os.P_ALL, 0, peek)) is not None and ended.si_pid not in own:
            os.waitpid(ended.si_pid, 0)

    @staticmethod
    def unused(used) -> bool:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False


if __name__ == "__main__":
    # Nobody's child, and who takes in what the server leaves.
    if os.fork():
        os._exit(0)
    os.setsid()
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Keeper(Path(sys.argv[1]), Path(sys.argv[2])).keep()
