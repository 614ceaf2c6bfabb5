"""What sidecars share of the memory of the process that forks them; it is taken in processes of their own."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from time import monotonic

import pytest
from wild_use import do, pid_of, private

from statehold.loading.sidecar import Sidecars
from statehold.testing import OpenStorage, open_storage

TAKEN = """
import decimal, gc, json, logging, os, re, sys, zipfile
from pathlib import Path
from statehold.loading.sidecar.child._memory import share_one_heap
share_one_heap()
from statehold import sdk, state
from statehold.loading.sidecar.child._image import Image

def private():
    text = Path("/proc/self/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"Private_(?:Clean|Dirty): +([0-9]+)", text)))

def work():
    class Own(sdk.StorageLogger):
        pass
    fields = [sdk.Field(f"Field{number}", "int64") for number in range(8)]
    rows = state.compile_rows("warm.Warm", fields, fields)
    found = [json.loads(json.dumps({"a": [1.5, None, number]})) for number in range(100)]
    found.append(str(decimal.Decimal(2).sqrt()))
    found.append([each.__name__ for each in (rows.Key, rows.Value, Own)])
    found.append(sorted(compile("a = b + 1", "x", "exec").co_names))
    sys.modules.setdefault("of_the_child", sys)
    logging.getLogger("of.the.child").debug("%s", found)
    return found
"""
FORKED = """
if image is None:
    print("none")
    raise SystemExit
expected = work()
child = os.fork()
if not child:
    code = 1
    try:
        # Now each page that holds an object is its own.
        gc.unfreeze()
        gc.collect()
        assert work() == expected
        before = private()
        for _ in range(20):
            for _ in image.give_back():
                assert work() == expected
            gc.collect()
        for _ in image.give_back():
            pass
        print(before, private(), flush=True)
        assert work() == expected
        code = 0
    finally:
        os._exit(code)
assert os.waitpid(child, 0)[1] == 0
assert work() == expected
"""


def run(code: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-I", "-X", "faulthandler", "-c", TAKEN + dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not ended.returncode, ended.stderr
    return ended.stdout.split()


@pytest.fixture(scope="module")
def possible() -> None:
    if run("print(Image.taken() is not None)") != ["True"]:
        pytest.skip("the memory of this Python cannot be shared")


@pytest.mark.usefixtures("possible")
def test_what_a_child_gives_back_is_the_same_as_before() -> None:
    before, after = map(int, run(f"image = Image.taken()\n{FORKED}"))
    assert after < before


@pytest.mark.usefixtures("possible")
def test_nobody_can_write_to_what_is_shared() -> None:
    assert (
        run("""
        import mmap
        kept = []
        make = os.memfd_create
        def made(*arguments):
            kept.append(os.dup(make(*arguments)))
            return os.dup(kept[0])
        os.memfd_create = made
        assert Image.taken() is not None
        for attempt in (
            lambda: os.pwrite(kept[0], b"x", 0),
            lambda: os.ftruncate(kept[0], 0),
            lambda: mmap.mmap(kept[0], 4096),
        ):
            try:
                attempt()
            except PermissionError:
                print("refused")
        """)
        == ["refused"] * 3
    )


def test_none_is_taken_while_the_process_is_traced_or_of_an_unknown_python() -> None:
    assert run("""
        sys.setprofile(lambda *_: None)
        print(Image.taken())
        sys.setprofile(None)
        sys.version_info = (3, 99)
        print(Image.taken())
        """) == ["None", "None"]


@pytest.mark.usefixtures("possible")
def test_threads_that_python_knows_nothing_of_count_too() -> None:
    assert run("""
        import ctypes
        image = Image.taken()
        before = image.threads()
        libc, thread = ctypes.CDLL(None), ctypes.c_ulong()
        assert not libc.pthread_create(ctypes.byref(thread), None, libc.pause, None)
        print(before, image.threads())
        """) == ["1", "2"]


def test_sidecars_that_do_not_share_work_the_same(wild_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    popen = subprocess.Popen

    def start(command: list[str], **options: object) -> object:
        started.append(command)
        return popen(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", start)
    with (
        Sidecars(sandbox=False, share=False) as sidecars,
        sidecars.load_file(wild_file, owner="acme.bills 1") as plugin,
        open_storage(plugin.providers["Wild"]) as opened,
    ):
        assert do(opened, "eval [1, 2]") == "[1, 2]"
    assert started[0][-1] == "own"


@pytest.fixture
def sharing() -> Iterator[Sidecars]:
    with Sidecars(share=True) as sidecars:
        yield sidecars


@pytest.mark.usefixtures("possible")
def test_a_sidecar_gives_memory_back_when_its_storage_is_open(
    sharing: Sidecars, wild: Callable[..., OpenStorage]
) -> None:
    opened = wild(sharing)
    assert do(opened, "kept") is None

    pid = pid_of(opened)
    until = monotonic() + 30
    while private(pid) > 3.0:
        assert monotonic() < until, private(pid)
        select.select([], [], [], 0.05)
    opened.insert(opened.key(1, What="kept"), opened.value(Text="still"))
    assert do(opened, "kept") == "still"
