from __future__ import annotations

import msgspec
import pytest

from statehold.processing import ForbiddenError, Request
from statehold.sdk import Principal

APP = "acme.hello"


def test_what_somebody_teaches_everybody_is_greeted_with(host, runtime, hello):
    host.deploy(hello)
    somebody = Request(app=APP, workspace=1, principal=Principal(name="ann", kind=1))
    nobody = Request(app=APP, workspace=1)
    greetings = [{"Language": "en", "Text": "Hello"}, {"Language": "fr", "Text": "Salut"}]
    for greeting in reversed(greetings):
        runtime.command(somebody, "hello.Learn", greeting)

    def greet(**args):
        return msgspec.to_builtins(runtime.query(nobody, "hello.Greet", args))

    assert greet(Language="en") == greetings[:1]
    assert greet() == greetings


def test_nobody_teaches_it(host, runtime, hello):
    host.deploy(hello)
    with pytest.raises(ForbiddenError):
        runtime.command(Request(app=APP, workspace=1), "hello.Learn", {"Language": "en", "Text": "Hi"})
