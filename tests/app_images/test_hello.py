from __future__ import annotations

from statehold.sdk import Scope
from statehold.state import apply_intents
from statehold.testing import assert_denied


def test_what_a_command_learns_a_query_greets_with(host, hello):
    host.deploy(hello)
    with host.app("acme.hello").borrow() as partition:
        commands = partition.scoped("hello.Greetings", Scope.COMMANDS)
        key = commands.key(1, Language="en")
        intent = commands.insert(key, {"Text": "Hello"})
        apply_intents(
            {"hello.Greetings": partition.storage("hello.Greetings")}, {"hello.Greetings": [intent]}
        )
        queries = partition.scoped("hello.Greetings", Scope.QUERIES)
        assert queries.get(key)["Text"] == "Hello"
        assert_denied(queries.insert, key, {"Text": "Hi"})
