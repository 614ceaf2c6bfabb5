from __future__ import annotations

from typing import Final

from statehold.processing._errors import ForbiddenError, UnknownError
from statehold.processing._request import Request
from statehold.processing._rights import SYSTEM_ROLE
from statehold.processing._work import Bench
from statehold_vsql.appdef import AppDef, QName

#: Who may make workspaces inside of one.
_OWNERS: Final = ("sys.WorkspaceOwner", "sys.WorkspaceAdmin", "sys.ClusterAdmin")
#: Who may make those that nobody owns.
_OPERATORS: Final = (SYSTEM_ROLE, "sys.ClusterAdmin")


def check_new_workspace(bench: Bench, request: Request, kind: str) -> None:
    """Check that a workspace of *kind* may be made inside that of the request, 0 for inside of none.

    The host itself may make any, and operators those that nobody owns. Others may make those that the kind of
    the owning workspace USEs, where they own or administer it.

    Raises:
        UnknownError: there is no such workspace, or no such kind.
        ForbiddenError: it is not permitted.

    """
    appdef = bench.parts.appdef
    found = next((one for one in appdef.workspaces if str(one) == kind), None)
    if found is None or appdef.workspaces[found].abstract:
        what = "is abstract" if found is not None else "is no kind of workspace"
        raise UnknownError(f"{kind!r:.200} {what}", qname=kind[:200])
    if request.workspace == 0:
        principal = request.principal
        if principal is None or principal.roles.get(0, frozenset()).isdisjoint(_OPERATORS):
            raise ForbiddenError(
                "a workspace that nobody owns is made by operators", qname=kind, roles=_OPERATORS
            )
        return
    entry = bench.gate.enter(bench.parts, bench.reader, request)
    if entry.is_system:
        return
    if entry.roles.isdisjoint(_OWNERS):
        raise ForbiddenError(
            f"a {kind} is made in workspace {request.workspace} by its owner",
            qname=kind,
            roles=_OWNERS,
            hint=f"It takes one of these roles: {', '.join(_OWNERS)}",
        )
    if found not in _used(appdef, entry.rights.kind.lineage):
        raise ForbiddenError(
            f"a {kind} cannot be made in a {entry.kind}", qname=kind, hint=f"{entry.kind} does not USE it"
        )


def _used(appdef: AppDef, lineage: tuple[QName, ...]) -> set[QName]:
    return {used for name in lineage if name in appdef.workspaces for used in appdef.workspaces[name].uses}
