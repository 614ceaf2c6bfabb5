from __future__ import annotations

from statehold.testing.extensions import Insert


def test_it_learns_a_greeting(statehold_app):
    run = statehold_app().command("Learn", {"Language": "en", "Text": "Hello"})
    run.expect(Insert("Greetings", Language="en", Text="Hello"))


def test_it_greets_in_one_language_or_in_all(statehold_app):
    app = statehold_app()
    for language, text in (("fr", "Salut"), ("en", "Hello")):
        app.put("Greetings", Language=language, Text=text)
    assert app.query("Greet", {"Language": "en"}).results == ({"Language": "en", "Text": "Hello"},)
    assert [each["Language"] for each in app.query("Greet", {}).results] == ["en", "fr"]
