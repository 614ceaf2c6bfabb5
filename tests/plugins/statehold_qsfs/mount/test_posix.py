"""What programs may rely on, looked at where the tests run, and on the mount."""

from __future__ import annotations

import pytest
import qsfs_posix


@pytest.mark.parametrize("probe", qsfs_posix.listing(), ids=lambda probe: probe.__name__)
@pytest.mark.parametrize("place", ["host", "mount"])
def test_programs_find_what_they_rely_on(place, probe, tmp_path, request):
    folder = tmp_path if place == "host" else request.getfixturevalue("mounted_folder")
    probe(folder)
