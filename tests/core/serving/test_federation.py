from __future__ import annotations

import pytest

from statehold.sdk import FederationHost, StorageError
from statehold.serving import Federation, TokenError


def test_apps_of_this_host_are_where_it_serves_and_others_where_the_operator_says(tokens):
    federation = Federation(tokens, others={"acme.bank": "https://bank.example/"})
    federation.serve_at("http://127.0.0.1:8080/")
    assert federation.base_url("acme", "shop") == "http://127.0.0.1:8080"
    assert federation.base_url("acme", "bank") == "https://bank.example"


def test_a_host_that_serves_nothing_says_so(tokens):
    with pytest.raises(StorageError, match=r"acme\.shop .*--federation"):
        Federation(tokens).base_url("acme", "shop")


def test_the_host_is_the_system_at_each_app_and_its_token_is_used_again(tokens):
    federation: FederationHost = Federation(tokens)
    token = federation.system_token("acme", "shop")
    assert federation.system_token("acme", "shop") == token
    assert tokens.check(token, "acme.shop").roles == {0: frozenset({"sys.System"})}
    with pytest.raises(TokenError):
        tokens.check(token, "acme.bank")
