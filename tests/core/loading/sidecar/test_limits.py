from __future__ import annotations

import pytest

from statehold.loading.sidecar import Limits
from statehold.sdk import DescriptorError


def test_limits_are_read_from_a_descriptor() -> None:
    assert Limits.of({"memory_mib": 64, "deadline": 2}) == Limits(memory_mib=64, deadline=2.0)


def test_what_is_wrong_is_told_all_at_once_with_the_nearest_name() -> None:
    with pytest.raises(DescriptorError) as caught:
        Limits.of({"memory_mb": 64, "cpu_seconds": -1, "open_files": 1.5}, where="Storages.a.B.limits")
    assert caught.value.problems == (
        "Storages.a.B.limits: unknown key 'memory_mb'. Did you mean 'memory_mib'?",
        "Storages.a.B.limits.cpu_seconds: expected a number above 0, got -1",
        "Storages.a.B.limits.open_files: expected an integer, got 1.5",
    )
