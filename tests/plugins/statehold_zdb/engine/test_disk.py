from __future__ import annotations

import os
from pathlib import Path

import pytest

from statehold_zdb.engine import Disk


@pytest.mark.parametrize("sizes", [[3, 0, 5], [200_000, 7], [1] * 3000, [300] * 2000])
@pytest.mark.parametrize("most", [1, 1000, 10**9])
def test_everything_is_written_however_little_the_system_takes_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: list[int], most: int
) -> None:
    """Where it is to be, and nothing before it."""
    pwrite, pwritev = os.pwrite, os.pwritev
    least = max(most, sum(sizes) // 50)
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:least], at))
    monkeypatch.setattr(os, "pwritev", lambda fd, parts, at: pwritev(fd, [b"".join(parts)[:least]], at))
    parts = [os.urandom(size) for size in sizes]
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    try:
        Disk().write(fd, parts, sum(sizes), 10)
    finally:
        os.close(fd)
    assert (tmp_path / "file").read_bytes() == bytes(10) + b"".join(parts)
