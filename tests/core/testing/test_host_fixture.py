"""The host that the pytest plugin gives to a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from statehold.hosting import Host
from statehold.sdk import HostError, Scope
from statehold.testing import assert_denied

SAMPLE = Path(__file__).parents[3] / "app_images/acme.hello"


def test_a_test_gets_a_host_of_its_own_to_prove_a_scope_with(statehold_host: Host) -> None:
    """It begins empty; an application folder deploys, and what its scopes deny is denied."""
    assert statehold_host.apps() == ()
    statehold_host.deploy(SAMPLE)
    with statehold_host.app("acme.hello").borrow() as partition:
        (name,) = [name for name in partition.storages if name.startswith("hello.")]
        facade = partition.scoped(name, Scope.QUERIES)
        assert_denied(facade.insert, None, None)


def test_the_host_is_closed_after_the_test(pytester: pytest.Pytester) -> None:
    """Whoever kept it is told so."""
    pytester.makepyfile(
        """
        KEPT = []

        def test_keeps(statehold_host):
            KEPT.append(statehold_host)

        def test_finds_it_closed(statehold_host):
            import pytest
            from statehold.sdk import HostError

            with pytest.raises(HostError, match="closed"):
                KEPT[0].undeploy("acme.hello")
        """
    )
    pytester.runpytest_inprocess("-p", "no:xdist").assert_outcomes(passed=2)


def test_two_hosts_of_one_test_folder_are_refused(statehold_host: Host, tmp_path: Path) -> None:
    """The fixture's folder belongs to its host as any other."""
    with pytest.raises(HostError, match="host"):
        Host(tmp_path / "host")
