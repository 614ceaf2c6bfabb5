"""The decorator marks a function and leaves it as it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from statehold.sdk import extension
from statehold.sdk._extension import EXTENSION


def test_a_function_stays_as_it_is_and_is_marked():
    def pay(call):
        return call

    assert extension(pay) is pay
    assert getattr(pay, EXTENSION) == ""
    assert pay(3) == 3


def test_a_name_of_its_own_is_kept():
    @extension("PayBill")
    def pay(call): ...

    assert getattr(pay, EXTENSION) == "PayBill"


def test_it_may_be_called_without_a_name():
    @extension()
    def pay(call): ...

    assert getattr(pay, EXTENSION) == ""


def test_a_class_cannot_be_marked():
    with pytest.raises(TypeError, match=r"marks a function, and Pay is a class"):
        extension(type("Pay", (), {}))


def test_the_type_of_the_function_stays(tmp_path):
    (tmp_path / "code.py").write_text(
        "from statehold.sdk import extension\n"
        "@extension\ndef one(call: int) -> str: return ''\n"
        "@extension('Two')\ndef two(call: int) -> bytes: return b''\n"
        "reveal_type(one(1)); reveal_type(two(1))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "code.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert 'Revealed type is "str"' in done.stdout
    assert 'Revealed type is "bytes"' in done.stdout
    assert done.returncode == 0
