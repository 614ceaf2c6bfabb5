from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from statehold_vsql.appdef import Position, QName
from statehold_vsql.syntax import Parsed
from statehold_vsql.syntax import nodes as n


class Kind(StrEnum):
    """What a name may stand for."""

    STORAGE = "storage"
    PARAMETER = "parameter"
    WORKSPACE = "workspace"
    DESCRIPTOR = "descriptor"
    TABLE = "table"
    TYPE = "type"
    VIEW = "view"
    COMMAND = "command"
    QUERY = "query"
    PROJECTOR = "projector"
    JOB = "job"
    FUNCTION = "function"
    ROLE = "role"
    TAG = "tag"
    RATE = "rate"
    LIMIT = "limit"
    VARIABLE = "variable"
    TEMPLATE = "template"


def head(node: Any) -> n.Span:
    """Return the span of a statement from its first word to its name."""
    span: n.Span = node.span
    if node.name is None:
        return n.Span(span.line, span.column, span.line, span.column + len("DESCRIPTOR"))
    end: n.Span = node.name.span
    return n.Span(span.line, span.column, end.end_line, end.end_column)


class SourceFile(Struct, eq=False):
    """One parsed file."""

    package: Package
    name: str
    index: int
    parsed: Parsed


class Package(Struct, eq=False):
    """One package: its files, what it imports, and everything that is declared in it."""

    path: str
    index: int
    files: list[SourceFile] = field(default_factory=list)
    name: str = ""
    imports: dict[str, ImportedPackage] = field(default_factory=dict)
    symbols: dict[str, Symbol] = field(default_factory=dict)
    # Names declared twice: what does not fit the first declaration may fit the second.
    redefined: set[str] = field(default_factory=set)
    # Names in parts of the text that were lost to syntax errors.
    damaged: frozenset[str] = frozenset()
    is_partial: bool = False

    @property
    def is_sys(self) -> bool:
        """Whether this is the package that everything stands on."""
        return self.path == "sys"


class ImportedPackage(Struct, eq=False):
    """One IMPORT: `package` is None if no such package was passed."""

    node: n.Import
    place: Place
    package: Package | None
    is_reported: bool = False


class Place(Struct, eq=False):
    """Where a statement stands: file, workspace (None at the root), and whether that is known."""

    file: SourceFile
    workspace: WorkspaceInfo | None = None
    # The workspace could not be found: what is not visible from here may be visible from there.
    is_lost: bool = False
    # In ALTER WORKSPACE: its names are visible in the whole package too.
    is_alter: bool = False

    @property
    def package(self) -> Package:
        """The package that the file belongs to."""
        return self.file.package

    def position(self, span: n.Span) -> Position:
        """Return the start of a span, for later messages."""
        return Position(self.file.package.path, self.file.name, span.line, span.column)


class Symbol(Struct, eq=False):
    """One declared name. `info` is what a pass has worked out about it."""

    kind: Kind
    name: str
    node: Any
    place: Place
    qname: QName
    # The statement around it: the engine's block of a storage or extension, the table of a nested one.
    outer: Any = None
    info: Any = None
    # Something about it was reported already: do not report what follows from that.
    is_broken: bool = False

    @property
    def title(self) -> str:
        """The symbol as messages call it: `table bills.Order`."""
        return f"{self.kind} {self.qname}"

    @property
    def head(self) -> n.Span:
        """The statement up to its name."""
        return head(self.node)

    @property
    def position(self) -> Position:
        """Where it is declared."""
        return self.place.position(self.node.span)


class WorkspaceInfo(Struct, eq=False):
    """A workspace: whom it inherits from, and what is declared in it."""

    symbol: Symbol
    index: int
    inherits: list[WorkspaceInfo] = field(default_factory=list)
    # Bit i is set if it inherits from the workspace with index i, however far.
    ancestors: int = 0
    # Some of INHERITS could not be found.
    is_lost: bool = False
    uses: list[QName] = field(default_factory=list)
    descriptor: Symbol | None = None

    @property
    def node(self) -> n.Workspace:
        """The statement."""
        node: n.Workspace = self.symbol.node
        return node


class Model(Struct, eq=False):
    """The whole application on its way to an AppDef."""

    packages: list[Package]
    application: n.Application | None = None
    application_package: Package | None = None
    sys: Package | None = None
    sys_workspace: WorkspaceInfo | None = None
    # In the order of the text.
    symbols: list[Symbol] = field(default_factory=list)
    workspaces: list[WorkspaceInfo] = field(default_factory=list)
    grants: list[tuple[n.Grant | n.GrantRole, Place]] = field(default_factory=list)
    used_workspaces: list[tuple[n.UseWorkspace, Place]] = field(default_factory=list)
    # With the places that they stand in and that they open.
    alters: list[tuple[n.AlterWorkspace, Place, Place]] = field(default_factory=list)

    @property
    def is_partial(self) -> bool:
        """Whether some text of some package was lost to syntax errors."""
        return any(package.is_partial for package in self.packages)
