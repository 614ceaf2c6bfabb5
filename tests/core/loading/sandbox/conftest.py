from __future__ import annotations

import inspect
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

HERE = Path(__file__).parent
UID = 54_321
SECRET = "the-secret-of-the-host"


@attrs.frozen
class Verdict:
    """How hostile code ended: what it returned, or its error, or the signal that ended its process."""

    result: object = None
    error: str = ""
    errno: str = ""
    text: str = ""
    signal: int = 0
    log: list[str] = attrs.field(factory=list)
    lacking: list[str] = attrs.field(factory=list)
    opens: list[bool] = attrs.field(factory=list)

    def done(self) -> object:
        assert not self.error, self.text
        assert not self.signal, signal.Signals(self.signal)
        return self.result


class Inside:
    """Runs functions in the sandbox, by a process that forks."""

    def __init__(self, kind: str, *options: str) -> None:
        self.kind = kind
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "_zygote.py"), kind, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        )

    def __call__(
        self,
        function: Callable[..., object],
        *,
        opened: tuple[Path, ...] = (),
        keep: bool = False,
        threads: bool = False,
        required: bool = False,
        broker: bool = True,
        names: dict[str, list[str]] | None = None,
        policy: dict[str, object] | None = None,
        **arguments: object,
    ) -> Verdict:
        fields = {
            name: [str(each) for each in value] if isinstance(value, (tuple, list)) else value
            for name, value in (policy or {}).items()
        }
        request = {
            "source": textwrap.dedent(inspect.getsource(function)),
            "name": function.__name__,
            "arguments": arguments,
            "policy": fields,
            "opened": [str(path) for path in opened],
            "keep": keep,
            "threads": threads,
            "broker": broker,
            "names": names or {},
            "required": required,
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the process that forks has ended"
        return Verdict(**json.loads(answer))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def start(kind: str, *options: str) -> Inside:
    if kind == "root" and os.geteuid() != 0:
        pytest.skip("not root here")
    return Inside(kind, *options)


@pytest.fixture(scope="session", params=["root", "ordinary", "bare"])
def everywhere(request: pytest.FixtureRequest) -> Iterator[Inside]:
    """As root, as an ordinary user, and as one to whom the kernel gives no namespaces."""
    inside = start(request.param)
    yield inside
    inside.close()


@pytest.fixture(scope="session", params=["root", "ordinary"])
def inside(request: pytest.FixtureRequest) -> Iterator[Inside]:
    """As root and as an ordinary user, with all layers."""
    inside = start(request.param, "prepared")
    yield inside
    inside.close()


@pytest.fixture(scope="session", params=["root", "ordinary"])
def inside_network(request: pytest.FixtureRequest) -> Iterator[Inside]:
    """As `inside`, from a host that has kept its own network."""
    inside = start(request.param)
    yield inside
    inside.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the host and an ordinary user can both reach."""
    path = Path(tempfile.mkdtemp(prefix="sandbox-"))
    if os.geteuid() == 0:
        os.chown(path, UID, UID)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def others(folder: Path) -> Iterator[Path]:
    """A folder of another app, which everybody could read if nothing stood before it."""
    path = Path(tempfile.mkdtemp(prefix="sandbox-other-"))
    path.chmod(0o755)
    path.joinpath("secret").write_text(SECRET, encoding="utf-8")
    path.joinpath("secret").chmod(0o644)
    if os.geteuid() == 0:
        os.chown(path, UID, UID)
        os.chown(path / "secret", UID, UID)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def sibling() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the user that an ordinary host is."""
    options = {"user": UID, "group": UID, "extra_groups": []} if os.geteuid() == 0 else {}
    process = subprocess.Popen(["/bin/sleep", "600"], cwd="/", **options)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A server on loopback that says hello."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server
