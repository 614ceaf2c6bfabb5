"""A sidecar that gives memory back all the time says what the same code says in this process."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from wild_use import do

from statehold.loading.sidecar import Limits, Sidecars
from statehold.loading.sidecar.host import _zygote
from statehold.testing import OpenStorage, open_storage

GIVING = Path(__file__).with_name("giving.py")
OFTEN = """
import statehold.loading.sidecar.child._image as image
import statehold.loading.sidecar.child._resting as resting
resting._AFTER = [0.002 + 0.004 * number for number in range(100_000)]
resting._MOMENT = 1
taken, forget = image.Image.taken, image.forget
def noted():
    found = taken()
    image.given_back = None if found is None else 0
    return found
def counted(place, size=image.PAGE):
    image.given_back += 1
    forget(place, size)
image.Image.taken, image.forget, image.given_back = noted, counted, None
"""


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch, make_wheel: Callable[..., Path]) -> Iterator[OpenStorage]:
    monkeypatch.setattr(_zygote, "_START", _zygote._START.replace("main(int", f"{OFTEN}main(int"))
    code = GIVING.read_text(encoding="utf-8")
    file = make_wheel({"giving.py": code}, name="acme-giving", storages={"Giving": "giving:provider"})
    with (
        Sidecars(sandbox=False) as sidecars,
        sidecars.load_file(file, owner="acme.giving 1", limits=Limits(deadline=60.0)) as plugin,
        open_storage(plugin.providers["Giving"]) as opened,
    ):
        yield opened


def wait_until_given_back(opened: OpenStorage) -> None:
    before = do(opened, "given back")
    if before == "None":
        pytest.skip("the memory of this Python cannot be shared")
    until = monotonic() + 60
    while do(opened, "given back") == before:
        assert monotonic() < until, "nothing was given back"
        select.select([], [], [], 0.005)


@pytest.mark.parametrize("calls", [60, pytest.param(4000, marks=pytest.mark.soak)])
def test_answers_are_those_of_the_same_code_in_this_process(often: OpenStorage, calls: int) -> None:
    # In a process of its own, for it changes what this one is made of.
    program = f"import giving\nfor seed in range({calls}): print(ascii(giving.work(seed)), flush=True)"
    command = [
        sys.executable,
        "-B",
        "-c",
        f"import sys; sys.path[:0] = {[str(GIVING.parent), *sys.path]!r}\n{program}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        for seed, expected in zip(range(calls), other.stdout, strict=True):
            if not seed % 10:
                wait_until_given_back(often)
            assert ascii(do(often, str(seed))) == expected.rstrip("\n"), seed
    assert not other.returncode
