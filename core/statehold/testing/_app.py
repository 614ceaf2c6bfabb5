from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import final

from statehold.events import PartitionData, Schemas, Shape, Unit, create_workspace
from statehold.rows import MemoryDriver
from statehold.sdk import CompileError, StateholdError
from statehold_vsql.appdef import AppDef

_NOW = 1_700_000_000_000


@final
class MemoryApp:
    """An app whose events, records and views are in memory: what storages of its entities stand on in tests.

    Args:
        declarations: VSQL, as in a file of package `test`, without APPLICATION.
        entity: the table, view or type that is tested, `test.Turnover`; workspaces are made of the kind that
            has it. Without one, of the first kind that is declared.
        partition: the number of the partition.

    Attributes:
        appdef: the compiled declarations.
        schemas: the shapes of one version of the app.
        data: the partition's data, the same for all versions.
        one_writer: held by whoever has a unit that is to be committed.

    """

    def __init__(self, declarations: str, *, entity: str | None = None, partition: int = 0) -> None:
        self.appdef = compiled(declarations)
        self.schemas = Schemas(self.appdef)
        self.entity = entity
        self.data = PartitionData(MemoryDriver().create("test.app"), partition)
        self.one_writer = threading.Lock()

    @property
    def shape(self) -> Shape:
        """The shape of the entity that is tested."""
        shape: Shape = self.schemas[self.entity or ""]
        return shape

    def version(self) -> MemoryApp:
        """Return another version of the app, with the same data and shapes of its own."""
        other = object.__new__(MemoryApp)
        other.__dict__.update(self.__dict__)
        other.schemas = Schemas(self.appdef)
        return other

    def add_workspaces(self, workspaces: Iterable[int]) -> None:
        """Make workspaces of the kind that has the entity, where they are not there yet."""
        kind = self._kind()
        with self.writing() as unit:
            for workspace in workspaces:
                if self.data.kind(workspace) is None:
                    create_workspace(unit, workspace, kind=kind, name=f"{workspace}", registered_at=_NOW)

    @contextmanager
    def writing(self) -> Iterator[Unit]:
        """Yield a unit that is committed when the block is left, and forgotten when it fails."""
        with self.one_writer:
            unit = self.data.begin(self.schemas)
            yield unit
            unit.commit()

    def append(self, unit: Unit, command: str, workspace: int) -> None:
        """Make one event of the records that were put down in *unit*."""
        unit.append(command, workspace, registered_at=_NOW)

    def _kind(self) -> str:
        if self.entity is not None:
            return str(self.shape.definition.workspace)
        for kind in self.appdef.workspaces.values():
            if not kind.abstract and kind.name.package == "test":
                return str(kind.name)
        raise StateholdError(
            "the declarations have no WORKSPACE that can be made", hint="Declare one that is not ABSTRACT"
        )


@functools.lru_cache(maxsize=16)
def compiled(declarations: str) -> AppDef:
    """Return the app that has *declarations* as its package `test`, and the host's `sys`."""
    from statehold.loading import installed  # noqa: PLC0415 - looks at what is installed
    from statehold_vsql import compile_app  # noqa: PLC0415 - brings the parser

    catalog = installed()
    files = {"app.vsql": "APPLICATION Test ();", "test.vsql": declarations}
    compilation = compile_app(catalog.complete({"test": files}), contracts=catalog.contracts())
    if compilation.appdef is None:
        raise CompileError(
            "the declarations that are tested with have errors: "
            + "; ".join(map(str, compilation.diagnostics)),
            diagnostics=compilation.diagnostics,
        )
    return compilation.appdef
