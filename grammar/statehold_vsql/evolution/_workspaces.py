from __future__ import annotations

from statehold_vsql.appdef import AppDef
from statehold_vsql.evolution._change import Broken, Changes
from statehold_vsql.evolution._pairs import pairs


def compare_workspaces(changes: Changes, old: AppDef, new: AppDef) -> None:
    """Note what changed about kinds of workspaces: those that were made are stored."""
    before = {name: one for name, one in old.workspaces.items() if not one.abstract}
    after = {name: one for name, one in new.workspaces.items() if not one.abstract}
    for subject, one, other in pairs(changes, "workspace", before, after, removed=Broken.DATA):
        if one.descriptor is not None and other.descriptor != one.descriptor:
            message = f"its DESCRIPTOR is {other.descriptor or 'gone'}, and was {one.descriptor}"
            changes.add("workspace-descriptor", subject, message, Broken.DATA)
        for kind in one.uses:
            if kind not in other.uses and kind in new.workspaces:
                message = f"no workspace of {kind} may be made inside any more"
                changes.add("workspace-use", subject, message, Broken.CLIENTS)
