"""What programs may rely on, looked at where the tests run, and on the mount."""

from __future__ import annotations

import functools
import os

import pytest
import qsfs_posix
from file_systems import run


@functools.cache
def kind_of(folder):
    return run("stat", "--file-system", "--format=%T", folder).stdout.strip()


@pytest.mark.parametrize("probe", qsfs_posix.listing(), ids=lambda probe: probe.__name__)
@pytest.mark.parametrize("place", ["host", "mount"])
def test_programs_find_what_they_rely_on(place, probe, tmp_path, request):
    if os.geteuid() != 0:
        pytest.skip("only root can look at all of it")
    if place == "mount":
        probe(request.getfixturevalue("mounted_folder"))
    elif kind_of(tmp_path.parent) == "ext2/ext3":
        probe(tmp_path)
    else:
        pytest.skip(f"not all of it is true of {kind_of(tmp_path.parent)}")
