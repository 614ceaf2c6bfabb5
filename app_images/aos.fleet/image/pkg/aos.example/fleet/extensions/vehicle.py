"""What people in a vehicle, and its mechanics, do with its services."""

from __future__ import annotations

import json

from statehold.sdk import extension


@extension
def sit_in(call):
    """Say who sits in the vehicle: their services run from now on."""
    names = [name.strip() for name in call.arg.Names.split(",") if name.strip()]
    call.Launcher.insert(Service="", Users=json.dumps(names))


@extension
def install(call):
    """Install a service for those who sit in the vehicle, or update it."""
    call.Launcher.insert(Service=call.arg.Service, Image=call.arg.Image)


@extension
def restart(call):
    """End a service and start it again."""
    call.Launcher.insert(Service=call.arg.Service, Restart=True)


@extension
def remove(call):
    """Take a service from those who sit in the vehicle, with all that they have of it."""
    call.Launcher.insert(Service=call.arg.Service, Removed=True)


@extension
def set_state(call):
    """Set the state of a service for those who sit in the vehicle; it reaches the service and the cloud."""
    users = call.Launcher.must_get(Service=call.arg.Service).Users
    call.ServiceState.insert(Service=call.arg.Service, Users=users, State=call.arg.State.encode())


@extension
def overview(call):
    """Tell how the services are."""
    for key, row in call.Launcher.read():
        if not key.Service:
            continue
        told = {"Service": key.Service, "Version": row.Version, "Status": row.Status, "Message": row.Message}
        if row.Users:
            claim = {"Service": key.Service, "Users": row.Users}
            storage, state = call.ServiceStorage.get(**claim), call.ServiceState.get(**claim)
            told["Users"] = row.Users
            if storage is not None:
                told |= {"Used": storage.Used, "Quota": storage.Quota}
            if state is not None:
                told["State"] = state.Status
        yield told


@extension
def owners(call):
    """Tell who has which service, whoever sits in the vehicle."""
    versions = {key.id: row.version for key, row in call.Services.read()}
    for key, _ in call.Users.read():
        yield {"Service": key.serviceid, "Version": versions.get(key.serviceid), "Users": key.users}
