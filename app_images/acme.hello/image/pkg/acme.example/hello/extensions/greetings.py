"""Greetings, by language."""

from __future__ import annotations

from statehold.sdk import extension


@extension
def learn(call):
    """Learn how a language greets."""
    call.Greetings.insert(Language=call.arg.Language, Text=call.arg.Text)


@extension
def greet(call):
    """Greet in a language; without one, in all that are known."""
    language = call.arg.Language
    known = call.Greetings.read(Language=language) if language else call.Greetings.read()
    for key, greeting in known:
        yield {"Language": key.Language, "Text": greeting.Text}
