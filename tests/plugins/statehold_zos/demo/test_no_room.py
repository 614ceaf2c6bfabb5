from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import pytest

from statehold.sdk import StateholdError
from statehold_zos.demo import tell
from statehold_zos.demo._story import Story


def test_a_folder_that_is_full_is_named_with_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_story: Story) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Story, "fill", full)
    with pytest.raises(StateholdError, match=r"no room left in .*, where it writes about 300 MiB") as told:
        tell(quiet=True, plain=True)
    assert "TMPDIR" in str(told.value.hint)
    assert list(tmp_path.iterdir()) == []
