from __future__ import annotations

from collections.abc import Callable

from statehold.loading.sidecar import SidecarPlugin
from statehold.sdk import CallContext, Principal, Scope
from statehold.testing import open_storage


def test_a_sidecar_learns_who_asks_but_not_with_which_token(
    installed: Callable[[str, str], SidecarPlugin],
) -> None:
    provider = installed("RequestSubject", "statehold_sys.request_subject:provider").providers[
        "RequestSubject"
    ]
    call = CallContext(
        scope=Scope.COMMANDS,
        workspace=7,
        extension="test.Ask",
        principal=Principal(name="ann", kind=1, profile=9, token="secret"),
    )
    with open_storage(provider, call=call) as opened:
        found = opened.facade.get(opened.key(7))
    assert (found.Name, found.Kind, found.ProfileWSID, found.Token) == ("ann", 1, 9, "")
