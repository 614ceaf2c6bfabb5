from __future__ import annotations

from statehold.testing.extensions import Insert


def test_people_sit_in_as_one_claim(statehold_app):
    run = statehold_app().command("SitIn", {"Names": "ann, bob,"})
    run.expect(Insert("Launcher", Service="", Users='["ann", "bob"]'))


def test_a_service_is_installed_and_removed(statehold_app):
    app = statehold_app()
    run = app.command("Install", {"Service": "nav", "Image": "nav-1"})
    run.expect(Insert("Launcher", Service="nav", Image="nav-1"))
    run = app.command("Remove", {"Service": "nav"})
    run.expect(Insert("Launcher", Service="nav", Removed=True))


def test_a_state_is_set_for_who_sits_in(statehold_app):
    app = statehold_app()
    app.put("Launcher", Service="nav", Users='["ann"]')
    run = app.command("SetState", {"Service": "nav", "State": "zoom"})
    run.expect(Insert("ServiceState", Service="nav", Users='["ann"]', State=b"zoom"))
