from __future__ import annotations

import pytest

from statehold_zos.disks._superblock import Superblock, members, read


def disk(number, generation=7, count=2):
    return Superblock(generation=generation, number=number, count=count)


@pytest.mark.parametrize(
    ("said", "found", "complete"),
    [
        ({}, "", False),
        ({"a": disk(1), "b": disk(2)}, "ab", True),
        ({"a": disk(1)}, "a", False),
        ({"a": disk(1), "b": disk(2, generation=3)}, "ab", True),  # it was away for a while
        ({"a": disk(1), "b": disk(2, 3), "c": disk(3)}, "ac", True),  # it was removed meanwhile
        ({"a": disk(1, 3), "b": disk(2), "c": disk(1)}, "bc", True),  # it was replaced meanwhile
        ({"a": disk(1), "b": disk(2), "c": disk(0)}, "ab", True),  # one is being copied to it
        ({"b": disk(2), "c": disk(0)}, "b", False),
        ({"a": disk(1, generation=3), "b": disk(2, count=1)}, "b", True),
        ({"a": disk(1, generation=7, count=1), "b": disk(2, generation=8)}, "ab", True),
    ],
)
def test_the_disks_of_a_pool_are_those_that_the_one_which_was_written_last_knows(said, found, complete):
    assert members(said) == (frozenset(found), complete)


def test_what_holds_no_btrfs_says_nothing(tmp_path):
    assert read(str(tmp_path / "nothing")) is None
    (tmp_path / "small").write_bytes(b"small")
    assert read(str(tmp_path / "small")) is None
    (tmp_path / "zeros").write_bytes(bytes(2**20))
    assert read(str(tmp_path / "zeros")) is None
