from __future__ import annotations

import pytest

from statehold.sdk import FreedError, SchemaError, StateholdError, StorageError, using


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StateholdError("the disk is gone", hint="Put it back"), "a.Kv: GET failed: the disk is gone"),
        (StorageError("no room"), "a.Kv: GET failed: no room"),
        (StorageError("a.Kv: no room"), "a.Kv: no room"),
        (StorageError("a.KvOld: no room"), "a.Kv: GET failed: a.KvOld: no room"),
        (OSError(28, "No space left on device"), "a.Kv: GET failed: No space left on device"),
        (OSError(2, "No such file", "/a/file"), "a.Kv: GET failed: /a/file: No such file"),
        (OSError("broken"), "a.Kv: GET failed: broken"),
    ],
)
def test_what_fails_says_in_which_storage_and_at_what(error: Exception, said: str) -> None:
    with pytest.raises(StorageError) as told, using("a.Kv", "GET"):
        raise error
    assert (told.value.message, told.value.hint) == (said, getattr(error, "hint", ""))


def test_what_was_freed_is_not_used_any_more() -> None:
    with (
        pytest.raises(FreedError, match=r"a\.Kv was used after it had been freed"),
        using("a.Kv", "GET", freed=True),
    ):
        pytest.fail("it was used")
    with pytest.raises(FreedError, match="a part of it"), using("a.Kv", "GET"):
        raise FreedError("a part of it was freed")


def test_what_does_not_fit_stays_what_it_is() -> None:
    error = SchemaError("a.Kv: no such field", storage="a.Kv", field="x", expected="a field", got="x")
    with pytest.raises(SchemaError) as told, using("a.Kv", "GET"):
        raise error
    assert told.value is error
