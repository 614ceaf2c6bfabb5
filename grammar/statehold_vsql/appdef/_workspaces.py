from __future__ import annotations

import attrs

from statehold_vsql.appdef._names import Position, QName


@attrs.frozen(kw_only=True)
class WorkspaceDef:
    """A kind of workspace and what is declared in it, by ALTER WORKSPACE too.

    `inherits` names the workspaces it inherits directly; all but `sys.Workspace` itself inherit that
    one as well. `uses` are the kinds of workspace that may be made inside it.
    """

    name: QName
    abstract: bool = False
    alterable: bool = False
    pool: bool = False
    parent: QName | None = None
    inherits: tuple[QName, ...] = ()
    descriptor: QName | None = None
    uses: tuple[QName, ...] = ()
    members: tuple[QName, ...] = ()
    comment: str = ""
    position: Position


@attrs.frozen(kw_only=True)
class TemplateDef:
    """Sample data for new workspaces of a kind, to be found in the package under `source`."""

    name: QName
    workspace: QName | None
    source: str
    comment: str = ""
    position: Position


@attrs.frozen(kw_only=True)
class TagDef:
    """A mark by which grants and limits choose what they apply to."""

    name: QName
    workspace: QName | None = None
    feature: str = ""
    comment: str = ""
    position: Position


@attrs.frozen(kw_only=True)
class VariableDef:
    """A number that may be set when the application is deployed (`DECLARE`)."""

    name: QName
    default: int
    comment: str = ""
    position: Position
