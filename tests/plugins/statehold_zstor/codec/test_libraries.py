"""The libraries that the codec stands on, where they are not installed."""

from __future__ import annotations

import sys

import pytest

from statehold_zstor.codec import Codec, CodecError, MasterKey
from statehold_zstor.codec import _isal as isal


@pytest.mark.parametrize("library", ["cramjam", "isal"])
def test_a_library_that_is_missing_is_named_with_what_to_install(
    library: str, key: MasterKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(CodecError, match=rf"{library}.*pip install 'statehold\[qsfs\]'"):
        Codec(k=1, m=1, key=key)


def test_without_cffi_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cffi", None)
    with pytest.raises(CodecError, match=r"cffi.*pip install 'statehold\[qsfs\]'"):
        isal.load.__wrapped__()


@pytest.mark.parametrize("found", [[], ["/nowhere/libisal.so"]])
def test_without_isa_l_the_error_says_what_to_install(
    found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isal, "_found", lambda: iter(found))
    with pytest.raises(CodecError, match=r"ISA-L, found none.*pip install 'statehold\[qsfs\]'"):
        isal.load.__wrapped__()


def test_the_library_of_the_machine_is_taken_where_pyeclib_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: f"lib{name}.so.2")
    assert list(isal._found()) == ["libisal.so.2"]
