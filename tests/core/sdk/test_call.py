"""What storages are told of their call."""

from __future__ import annotations

from statehold.sdk import CallContext, Principal, Scope


def test_a_call_is_shown_without_the_argument_that_is_not_to_be_logged_and_without_the_token():
    call = CallContext(
        scope=Scope.COMMANDS,
        workspace=1,
        extension="shop.SetPassword",
        argument={"Login": "ann"},
        unlogged={"Password": "hunter2"},
        principal=Principal(name="ann", token="eyJ0b2tlbg"),
    )
    for text in (repr(call), str(call), f"{call}", f"{[call]}"):
        assert "hunter2" not in text
        assert "eyJ0b2tlbg" not in text
        assert "SetPassword" in text
        assert "'Login': 'ann'" in text
