from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from statehold.events import Schemas, Shape, ViewShape
from statehold.extensions._engine import Use
from statehold.extensions.python import RESERVED, attribute_paths
from statehold.extensions.stubs._names import Names
from statehold.extensions.stubs._shadows import unshadowed
from statehold.extensions.stubs._storages import Classes, change_class, storage_class
from statehold.extensions.stubs._text import docstring
from statehold.extensions.stubs._values import dict_class, value_class
from statehold.sdk import Operation
from statehold_vsql import ExtensionEngine, ExtensionKind
from statehold_vsql.appdef import ANY, AppDef, ExtensionDef, QName, TriggerAction

#: The module that is written beside the code of a package.
STUBS: Final = "calls.pyi"

_HEAD: Final = '''\
"""What the extensions of package {package} get of their calls.

Written by `statehold stubs`: what is changed here is lost. Import it for type checkers alone:
`if TYPE_CHECKING: from .calls import {example}`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NotRequired, TypedDict, overload

from statehold.events import Cud, Event
from statehold.extensions.python import Log
from statehold.sdk import Key, Principal, Value
'''
#: What the module imports, the types of fields, and the methods of its classes.
_TAKEN: Final = frozenset(
    {
        *("Any", "Cud", "Event", "Iterable", "Iterator", "Key", "Log", "Mapping", "NotRequired", "Principal"),
        *("Sequence", "TypedDict", "Value", "overload"),
        *("bool", "bytes", "float", "int", "list", "str", "tuple"),
        *(
            "get",
            "get_many",
            "insert",
            "key",
            "must_get",
            "must_not_exist",
            "put",
            "read",
            "respond",
            "update",
        ),
    }
)


def write_stubs(
    appdef: AppDef, schemas: Schemas, uses: Mapping[str, Sequence[Use]], package: str
) -> str | None:
    """Return the stubs for the Python extensions of a package, None if it has none.

    Args:
        appdef: the declarations.
        schemas: the shapes of its tables, views and types.
        uses: what each extension may use, by its qualified name.
        package: the local name of the package.

    """
    extensions = [
        extension
        for extension in appdef.extensions.values()
        if extension.name.package == package
        and extension.engine is ExtensionEngine.PYTHON
        and extension.kind.scope is not None
    ]
    return _Module(appdef, schemas, uses, package).write(extensions) if extensions else None


class _Module:
    """Gathers the classes of one module; each is written once, after what it needs."""

    def __init__(
        self, appdef: AppDef, schemas: Schemas, uses: Mapping[str, Sequence[Use]], package: str
    ) -> None:
        self._appdef = appdef
        self._schemas = schemas
        self._uses = uses
        self._package = package
        self._names = Names(_TAKEN)
        self._classes: dict[str, list[str]] = {}

    def write(self, extensions: Sequence[ExtensionDef]) -> str:
        for extension in extensions:
            self._names.of(extension.name, extension.name.name)
        calls = [self._call(extension) for extension in extensions]
        head = _HEAD.format(package=self._package, example=calls[0][0].split()[1].rstrip(":"))
        classes, aliases = unshadowed([*calls, *self._classes.values()])
        blocks = [head.rstrip(), *("\n".join(lines) for lines in classes)]
        if aliases:
            blocks.append("\n".join(aliases))
        return "\n\n".join(blocks) + "\n"

    def _call(self, extension: ExtensionDef) -> list[str]:
        name = self._names.of(extension.name, extension.name.name)
        body = docstring(extension.comment, _declaration(extension))
        body += self._parts(extension)
        uses = {(use.storage, use.entity): use for use in self._uses.get(str(extension.name), ())}
        tree: dict[str, Any] = {}
        for key, path in attribute_paths(self._package, uses, reserved=RESERVED).items():
            node = tree
            for part in path[:-1]:
                node = node.setdefault(part, {})
            node[path[-1]] = uses[key]
        body += self._attributes(name, tree)
        if self._may_insert(uses, "sys.Logger"):
            body.append("    log: Log")
        if self._may_insert(uses, "sys.Response"):
            body.append("    def respond(self, status: int, message: str = ...) -> None: ...")
        return [f"class {name}:", *body]

    def _attributes(self, owner: str, tree: Mapping[str, Any]) -> list[str]:
        lines = []
        for attribute, below in tree.items():
            if isinstance(below, Use):
                lines.append(f"    {attribute}: {self._storage(below)}")
            else:
                name = self._names.of((owner, attribute), f"{owner}_{attribute}")
                self._classes[name] = [f"class {name}:", *self._attributes(name, below)]
                lines.append(f"    {attribute}: {name}")
        return lines

    def _parts(self, extension: ExtensionDef) -> list[str]:
        parts = ["    workspace: int", "    time: float"]
        if extension.kind in (ExtensionKind.COMMAND, ExtensionKind.QUERY):
            parts += [f"    arg: {self._argument(extension.parameter)}", "    principal: Principal | None"]
        if extension.kind is ExtensionKind.COMMAND:
            parts.append("    offset: int")
            if extension.unlogged is not None:
                parts.append(f"    unlogged: {self._argument(extension.unlogged)}")
        if extension.kind is ExtensionKind.PROJECTOR:
            parts += [f"    event: {self._event(extension)}", "    offset: int"]
        if extension.returns is not None and extension.returns != ANY:
            self._result(self._schemas[extension.returns])
        return parts

    def _argument(self, name: QName | None) -> str:
        if name is None:
            return "None"
        return "Mapping[str, Any]" if name == ANY else self._tree(self._schemas[name])

    def _event(self, extension: ExtensionDef) -> str:
        arguments = dict.fromkeys(
            self._argument(self._appdef.extensions[target].parameter)
            if action is TriggerAction.EXECUTE
            else self._argument(target)
            for trigger in extension.triggers
            for action in trigger.actions
            for target in trigger.targets
            if action in (TriggerAction.EXECUTE, TriggerAction.EXECUTE_WITH_PARAM)
        )
        others = any(
            action not in (TriggerAction.EXECUTE, TriggerAction.EXECUTE_WITH_PARAM)
            for trigger in extension.triggers
            for action in trigger.actions
        )
        kind = "Any" if others else " | ".join(arguments)
        if extension.including_errors and kind not in ("Any", "None"):
            kind += " | None"
        name = self._names.of((extension.name, "event"), f"{extension.name.name}Event")
        self._classes[name] = [
            f"class {name}(Event, frozen=True, kw_only=True):",
            f"    argument: {kind}",
        ]
        return name

    def _tree(self, shape: Shape) -> str:
        """Return the class of a type's or table's values with all that is nested in them."""
        if shape.tree is shape.rows:
            name = self._names.of(shape.rows, self._short(shape.name))
        else:
            name = self._names.of(shape.tree, f"{self._short(shape.name)}Tree")
        if name not in self._classes:
            self._classes[name] = []  # It may be nested in itself.
            nested = {container: self._tree(inner) for container, inner in shape.containers.items()}
            self._classes[name] = value_class(
                name, "Value", shape.tree.value_fields, doc=shape.definition.comment, nested=nested
            )
        return name

    def _result(self, shape: Shape) -> str:
        """Return the dict that may be returned for a value."""
        name = self._names.of((shape.name, "dict"), f"{self._short(shape.name)}Dict")
        if name not in self._classes:
            self._classes[name] = []
            nested = {container: self._result(inner) for container, inner in shape.containers.items()}
            doc = f"A dict that may be returned for {shape.definition.name.name}."
            self._classes[name] = dict_class(name, shape.tree.value_fields, doc=doc, nested=nested)
        return name

    def _storage(self, use: Use) -> str:
        names = self._names_of(use)
        if names.storage in self._classes:
            return names.storage
        definition = self._schemas.find(use.entity) if use.entity else None
        storage = self._appdef.storages[QName(*use.storage.split(".", 1))]
        comment = storage.comment if definition is None else definition.definition.comment
        first = definition.partition_key if isinstance(definition, ViewShape) else None
        allowed = ", ".join(operation for operation in Operation if operation in use.allowed)
        what = use.storage if use.entity is None else f"{use.storage}({use.entity})"
        self._classes[names.storage] = storage_class(
            use, names, doc=f"{what}: {allowed}.\n\n{textwrap.dedent(comment)}", partition_key=first
        )
        if names.key not in self._classes:
            doc = f"A key of {what}."
            self._classes[names.key] = value_class(names.key, "Key", use.rows.key_fields, doc=doc)
        # What is only inserted, and is of no table, view or type, has no values that anybody sees.
        shape = self._schemas.find(use.rows.storage)
        is_seen = shape is not None or not use.allowed <= {Operation.INSERT}
        if is_seen and names.value not in self._classes:
            doc = "" if shape is None else shape.definition.comment
            self._classes[names.value] = value_class(
                names.value, "Value", use.rows.value_fields, doc=doc or f"A value of {what}."
            )
        if use.allowed & {Operation.INSERT, Operation.UPDATE}:
            self._classes.setdefault(names.change, change_class(use, names))
        return names.storage

    def _names_of(self, use: Use) -> Classes:
        # `bills.Bill` for a table in sys.Record, `sys.Uniq(bills.Bill)` where keys and values are others.
        whole = use.rows.storage
        storage, _, entity = whole.rstrip(")").partition("(")
        if self._schemas.find(whole) is not None:
            short = value = self._short(whole)
        else:
            short = self._short(storage) + (f"_{self._short(entity)}" if entity else "")
            value = f"{short}Value"
        operations = "_".join(operation for operation in Operation if operation in use.allowed)
        asked = use.storage, use.entity
        path = "_".join(attribute_paths(self._package, [asked], reserved=())[asked])
        if use.storage == "sys.Result":
            path += f"_{short}"
        return Classes(
            storage=self._names.of((use.storage, use.entity, use.rows, use.allowed), f"{path}_{operations}"),
            key=self._names.of((use.rows, "key"), f"{short}Key"),
            value=self._names.of(use.rows, value),
            change=self._names.of((use.rows, "change"), f"{short}Change"),
        )

    def _short(self, qualified: str) -> str:
        package, _, name = qualified.partition(".")
        return name if package in (self._package, "sys") else f"{package}_{name}"

    @staticmethod
    def _may_insert(uses: Mapping[tuple[str, str | None], Use], storage: str) -> bool:
        use = uses.get((storage, None))
        return use is not None and Operation.INSERT in use.allowed


def _declaration(extension: ExtensionDef) -> str:
    """Return the declaration of an extension, as far as its author wants to see it beside the code."""
    parameter = ", ".join(
        [
            *([] if extension.parameter is None else [str(extension.parameter)]),
            *([] if extension.unlogged is None else [f"UNLOGGED {extension.unlogged}"]),
        ]
    )
    returns = f" RETURNS {extension.returns}" if extension.returns is not None else ""
    has_argument = extension.kind in (ExtensionKind.COMMAND, ExtensionKind.QUERY)
    arguments = f"({parameter})" if has_argument else ""
    return f"{extension.kind} {extension.name}{arguments}{returns}"
