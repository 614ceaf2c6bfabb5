"""What a storage in a process of its own costs: a GET, a start, and memory."""

from __future__ import annotations

import os
import re
import socket
import statistics
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter, sleep

from benchmarks._measure import Row, against, within
from statehold.loading.sidecar import Limits, SidecarPlugin, Sidecars
from statehold.testing import OpenStorage, open_storage

CALLS = 2_000
STARTS = 15
_SIDECARS = 5
#: Until sidecars have given back what they do not need, seconds.
_SETTLING = 2.0
CODE = """
from statehold.sdk import Field, Operation, Provider

class Storage:
    def __init__(self, ctx):
        self.value = ctx.value_class(b"x" * 100)

    def get(self, key):
        return self.value

    def get_batch(self, keys):
        return [self.value for _ in keys]

    def free(self):
        pass

provider = Provider(
    name="Scada",
    open=Storage,
    operations=[Operation.GET, Operation.GETBATCH],
    key=[Field("Id", "int64", required=True)],
    value=[Field("Data", "bytes")],
)
"""


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    with tempfile.TemporaryDirectory() as folder, Sidecars() as sidecars:
        path = _plugin_file(Path(folder))
        with sidecars.load_file(path, owner="acme.bills 1") as plugin, _opened(plugin) as opened:
            yield _get(opened)
            yield _batch(opened)
            yield _start(sidecars, path)
        yield _memory(sidecars, path, "each of another version", versions=_SIDECARS)
        yield _memory(sidecars, path, "all of one version", versions=1)


def _get(opened: OpenStorage) -> Row:
    get, key = opened.facade.get, opened.key(1, Id=5)
    get(key)
    with _same_core(_pid(opened)), _echo() as echo:
        return against(
            "GET from a sidecar, p50, same core",
            lambda: _p50(lambda: get(key)),
            lambda: _p50(echo),
            limit_name="raw echo of as many bytes over a socket",
            bar=1.3,
            unit="us",
        )


def _batch(opened: OpenStorage) -> Row:
    keys = [opened.key(1, Id=number) for number in range(1000)]
    get, get_batch = opened.facade.get, opened.facade.get_batch
    return against(
        "GETBATCH of 1,000 keys, each",
        lambda: _p50(lambda: get_batch(keys), calls=20) / len(keys),
        lambda: _p50(lambda: get(keys[0])),
        limit_name="GET",
        bar=0.2,
        unit="us",
    )


def _start(sidecars: Sidecars, path: Path) -> Row:
    def start() -> float:
        begun = perf_counter()
        with sidecars.load_file(path, owner="acme.bills 2") as plugin, _opened(plugin) as opened:
            opened.facade.get(opened.key(1, Id=1))
            return perf_counter() - begun

    return within(
        "cold start: load a plugin file, open, first GET", start, limit=10.0, unit="ms", rounds=STARTS
    )


def _memory(sidecars: Sidecars, path: Path, which: str, *, versions: int) -> Row:
    """Return the row of what sidecars do not share, after calls, as the kernel counts it; the median."""
    with ExitStack() as stack:
        limits = Limits(partitions_per_process=1)
        plugins = [
            stack.enter_context(sidecars.load_file(path, owner=f"acme.app{version} 1", limits=limits))
            for version in range(versions)
        ]
        opened = [
            stack.enter_context(_opened(plugins[number % versions], partition=number // versions))
            for number in range(_SIDECARS)
        ]
        _call(opened)
        sleep(_SETTLING)
        _call(opened)
        mebibytes = statistics.median(_private(_pid(each)) for each in opened)
    return Row(
        name=f"private memory of a sidecar, {which}",
        limit_name="1.5 MiB",
        unit="MiB",
        measured=mebibytes,
        limit=1.5,
        ratio=mebibytes / 1.5,
        bar=1.0,
    )


def _call(opened: list[OpenStorage]) -> None:
    for each in opened:
        for number in range(200):
            each.facade.get(each.key(1, Id=number))


def _private(pid: int) -> float:
    """Return the memory that only this process has, MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    return sum(map(int, re.findall(r"^Private_(?:Dirty|Clean):\s+(\d+) kB", text, re.MULTILINE))) / 1024


@contextmanager
def _opened(plugin: SidecarPlugin, *, partition: int = 0) -> Iterator[OpenStorage]:
    with open_storage(plugin.providers["Scada"], partition=partition) as opened:
        yield opened


def _pid(opened: OpenStorage) -> int:
    """Return the pid of the sidecar, as this process sees it."""
    group = opened.storage.group  # type: ignore[attr-defined]
    pidfd = group.pidfd
    text = Path(f"/proc/self/fdinfo/{pidfd}").read_text(encoding="utf-8")
    found = re.search(r"^Pid:\s+(\d+)", text, re.MULTILINE)
    assert found is not None
    return int(found[1])


@contextmanager
def _same_core(pid: int) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    core = {min(before)}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), core)
    os.sched_setaffinity(0, core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), before)


@contextmanager
def _echo() -> Iterator[Callable[[], object]]:
    """Yield a function that sends bytes to a process on the same core, which sends them back."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        ours.close()
        while data := theirs.recv(65536):
            theirs.send(data)
        os._exit(0)
    theirs.close()
    message = b"x" * 115

    def echo() -> object:
        ours.send(message)
        return ours.recv(65536)

    try:
        yield echo
    finally:
        ours.close()
        os.waitpid(pid, 0)


def _p50(call: Callable[[], object], *, calls: int = CALLS) -> float:
    taken = []
    for _ in range(calls):
        begun = perf_counter()
        call()
        taken.append(perf_counter() - begun)
    return statistics.median(taken)


def _plugin_file(folder: Path) -> Path:
    path = folder / "storages-1.whl"
    info = "acme_scada-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("scada/__init__.py", CODE)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: acme-scada\nVersion: 1.0\n")
        archive.writestr(f"{info}/entry_points.txt", "[statehold.storages]\nScada = scada:provider\n")
    folder.chmod(0o755)
    return path
