from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import wasmtime

from statehold.events import Schemas
from statehold.extensions import EngineContext, Use
from statehold.extensions.wasm import WasmEngine, WasmLimits, open_wasm
from statehold.extensions.wasm._abi import EXPORTS, IMPORTS, MEMORY
from statehold.extensions.wasm._wasi import FUNCTIONS, MODULE
from statehold.images import open_image
from statehold.loading import installed
from statehold.loading.wasm.machine._native import func_type
from statehold.sdk import CallContext, Field, Intent, Key, Scope, ScopeError, Value, merge
from statehold.state import Rows, Slot, State, Uses, compile_rows, compile_slot
from statehold_vsql import ExtensionKind, compile_app
from statehold_vsql.appdef import AppDef

PACKAGE = "acme.example/t"

VSQL = """
APPLICATION t();

STATESTORAGE ENGINE BUILTIN (
  STORAGE Things (
    GET SCOPE(COMMANDS, QUERIES), READ SCOPE(COMMANDS, QUERIES),
    INSERT SCOPE(COMMANDS), UPDATE SCOPE(COMMANDS)
  )
  KEY (Id int64 NOT NULL, Part text)
  VALUE (Small int16, Number int32, Big int64, Ref ref, Single float32, Double float64, Flag bool,
         Text text, Data bytes, Name qname)
  WITH PROVIDER=Table;

  STORAGE Kinds (GET SCOPE(COMMANDS), READ SCOPE(COMMANDS))
  KEY (Flag bool, Number int32, Single float32, Double float64, Data bytes, Name qname)
  VALUE (Text text) WITH PROVIDER=Table;

  STORAGE Closed (INSERT SCOPE(COMMANDS)) KEY (Id int64 NOT NULL) VALUE (Text text) WITH PROVIDER=Table;
)

WORKSPACE Here (
  DESCRIPTOR HereDescriptor ();
  VIEW Seen (Day int32 NOT NULL, Hour int32 NOT NULL, Count int64, PRIMARY KEY ((Day), Hour))
    AS RESULT OF See;
  VIEW Heard (Day int32 NOT NULL, Hour int32 NOT NULL, Count int64, PRIMARY KEY ((Day), Hour))
    AS RESULT OF See;
  TYPE Answer (Text text);
  EXTENSION ENGINE WASM (
    COMMAND Do
      STATE(Things, Kinds, sys.CommandContext, sys.AppSecret)
      INTENTS(Things, Closed, sys.Logger) RETURNS Answer;
    QUERY Ask STATE(Things) RETURNS Answer;
    PROJECTOR See AFTER EXECUTE ON Do STATE(sys.View(Seen)) INTENTS(sys.View(Seen, Heard));
  );
);
"""

#: KEY and VALUE of storages whose declarations leave them to their providers.
FIELDS: Mapping[str, tuple[Sequence[Field], Sequence[Field]]] = {
    "sys.Logger": (
        [Field("LogLevel", "int32"), Field("Tag", "text", repeated=True)],
        [Field("Message", "text", required=True)],
    ),
    "sys.AppSecret": ([Field("Secret", "text", required=True)], [Field("Content", "text")]),
    "sys.CommandContext": (
        [],
        [Field("Workspace", "int64"), Field("ArgumentObject", "object"), Field("sys.ID", "ref")],
    ),
}


_VARIABLES = "(local $k i64) (local $v i64) (local $i i64) (local $p i64)"


class Memory:
    """Keeps rows; `slow` is called before each answer."""

    def __init__(self) -> None:
        self.rows: dict[Key, Value] = {}
        self.applied: list[Value] = []
        self.closed = 0
        self.slow: Callable[[], None] = lambda: None

    def get(self, key: Key) -> Value | None:
        self.slow()
        return self.rows.get(key)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        return [self.rows.get(key) for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        try:
            for row in list(self.rows.items()):
                self.slow()
                yield row
        finally:
            self.closed += 1

    def value_to_insert(self, key: Key, value: Value) -> Value:
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None: ...

    def apply_batch(self, items: Sequence[Intent]) -> None:
        self.slow()
        self.rows |= {item.key: item.value for item in items}
        self.applied += [item.value for item in items]

    def free(self) -> None: ...


class Wat:
    """Writes a guest: the exports of the ABI, and those functions that a test adds in WebAssembly's text."""

    def __init__(self) -> None:
        self.pages = 2
        self.data = bytearray(b"\0" * 16)
        self.parts: list[str] = []
        self.without: set[str] = set()
        self.replaced: dict[str, str] = {}

    def text(self, text: str | bytes) -> str:
        """Return the address and the length of a text in the guest's memory, as two operands."""
        raw = text.encode() if isinstance(text, str) else text
        at = self.data.find(raw)
        if at < 0:
            at = len(self.data)
            self.data += raw
        return f"(i32.const {at}) (i32.const {len(raw)})"

    def add(self, name: str, body: str, *, variables: str = _VARIABLES) -> None:
        """Add an extension; `{words}` in its body become texts of the guest, `{}` the empty one."""
        body = re.sub(r"\{([^{}]*)\}", lambda found: self.text(found[1]), body)
        self.parts.append(f'(func (export "{name}") {variables} {body})')

    def key(self, storage: str, entity: str = "", **fields: int | str) -> str:
        """Return code that sets $k to a key."""
        lines = [f"(local.set $k (call $hostGetKey {self.text(storage)} {self.text(entity)}))"]
        for name, value in fields.items():
            start = f"(local.get $k) (i32.const 0) {self.text(name)}"
            if isinstance(value, str):
                lines.append(f"(call $hostRowWriterPutString {start} {self.text(value)})")
            else:
                lines.append(f"(call $hostRowWriterPutInt64 {start} (i64.const {value}))")
        return "\n".join(lines)

    def replace(self, name: str, code: str) -> None:
        """Let an export of the ABI be *code* instead."""
        self.replaced[name] = code

    def source(self) -> str:
        exports = {
            "malloc": '(func $malloc (export "malloc") (param i32) (result i32) (global.get $at) '
            "(global.set $at (i32.add (global.get $at) (local.get 0))))",
            "free": '(func (export "free") (param i32))',
            "WasmOnReadValue": '(func (export "WasmOnReadValue") (param i64 i64))',
            **{
                name: f'(func (export "{name}"){" (result i64) (i64.const 0)" if result else ""})'
                for name, (_, result) in EXPORTS.items()
                if name not in ("malloc", "free", "WasmOnReadValue")
            },
            MEMORY: f'(memory (export "memory") {self.pages})',
            **self.replaced,
        }
        body = "\n".join([*(code for name, code in exports.items() if name not in self.without), *self.parts])
        used = set(re.findall(r"\$(host\w+|[a-z]+_\w+)", body))
        imports = [_import("env", name, *IMPORTS[name]) for name in sorted(used & set(IMPORTS))]
        imports += [
            _import(MODULE, name, FUNCTIONS[name], "" if name == "proc_exit" else "i")
            for name in sorted(used & set(FUNCTIONS))
        ]
        data = "".join(f"\\{byte:02x}" for byte in self.data)
        return (
            f"(module {''.join(imports)} (global $at (mut i32) (i32.const 65536)) {body} "
            f'{"" if MEMORY in self.without else f"""(data (i32.const 0) "{data}")"""})'
        )


def _import(module: str, name: str, parameters: str, result: str) -> str:
    kind = func_type(parameters, result)
    given = f"(param {' '.join(map(str, kind.params))})" if parameters else ""
    back = f"(result {' '.join(map(str, kind.results))})" if result else ""
    return f'(import "{module}" "{name}" (func ${name} {given} {back}))'


@attrs.define
class Stage:
    """An app with storages in memory: what an engine gets of a host, without one."""

    folder: Path
    appdef: AppDef
    memory: dict[str, Memory]
    slots: dict[str, list[Slot]]
    engines: list[WasmEngine]

    def context(self, **more: Any) -> EngineContext:
        uses = {
            name: [Use(storage=s.storage, entity=s.entity, rows=s.rows, allowed=s.allowed) for s in slots]
            for name, slots in self.slots.items()
        }
        given: dict[str, Any] = {
            "app": "acme.t",
            "version": "1",
            "appdef": self.appdef,
            "image": open_image(self.folder),
            "uses": uses,
            "partitions": 1,
            "pool_sizes": dict.fromkeys(Scope, 1),
            "patience": 0.01,
            "logger": logging.getLogger("statehold.test"),
        }
        return EngineContext(**{**given, **more})

    def load(self, guest: Wat | bytes | str, *, limits: WasmLimits | None = None, **more: Any) -> WasmEngine:
        """Put a guest into the image and open it; without other code, it has the extensions it needs."""
        if isinstance(guest, Wat):
            for name in ("Do", "Ask", "See"):
                if f'(export "{name}")' not in "".join(guest.parts) and name not in guest.without:
                    guest.add(name, "", variables="")
            guest = guest.source()
        data = guest if isinstance(guest, bytes) else bytes(wasmtime.wat2wasm(guest))
        path = self.folder / "image" / "pkg" / PACKAGE / "t.wasm"
        path.write_bytes(data)
        self.engines.append(open_wasm(self.context(**more), limits=limits or WasmLimits()))
        return self.engines[-1]

    def state(self, extension: str = "t.Do", *, limit: int = 1000, **call: Any) -> State:
        definition = next(each for name, each in self.appdef.extensions.items() if str(name) == extension)
        context = CallContext(
            **{"scope": definition.kind.scope, "workspace": 7, "extension": extension, **call}
        )
        return State(Uses(f"{definition.kind} {extension}", self.slots[extension]), context, limit=limit)

    def put(self, storage: str, entity: str | None, key: Mapping[str, Any], **value: Any) -> None:
        """Store a row."""
        slot = next(
            s for slots in self.slots.values() for s in slots if (s.storage, s.entity) == (storage, entity)
        )
        made = slot.rows.key(**{"WSID": 7, **key})
        self.memory[storage].rows[made] = slot.rows.value(**value)

    def run(self, engine: WasmEngine, extension: str = "t.Do", **more: Any) -> State:
        """Run an extension and return its state."""
        state = self.state(extension, **more)
        engine.invoke(extension, state, state.call, partition=0, kind=state.call.scope)
        return state

    def does(self, body: str, guest: Wat | None = None, **more: Any) -> list[tuple[Slot, Intent]]:
        """Return what a command with that body asks for."""
        guest = guest or Wat()
        guest.add("Do", body)
        return list(self.run(self.load(guest, **more)).intents())


def _slots(
    appdef: AppDef, name: Any, schemas: Schemas, memory: dict[str, Memory], made: dict[Any, Rows]
) -> Iterator[Slot]:
    extension = appdef.extensions[name]
    wanted: dict[tuple[str, str | None], set[bool]] = {}
    for is_intent, uses in ((False, extension.state), (True, extension.intents)):
        for use in uses:
            for entity in use.entities or (None,):
                wanted.setdefault((str(use.storage), entity and str(entity)), set()).add(is_intent)
    if extension.returns is not None:
        wanted["sys.Result", str(extension.returns)] = {True}
    storages = {str(each): storage for each, storage in appdef.storages.items()}
    for (storage, entity), kinds in wanted.items():
        definition = storages[storage]
        if storage == "sys.Result":
            rows = compile_rows(storage, [], schemas[entity].rows.value_fields)
        elif entity is not None:
            rows = schemas[entity].rows
        else:
            key, value = (definition.key, definition.value) if definition.key is not None else FIELDS[storage]
            rows = made.setdefault(storage, compile_rows(storage, key or (), value or ()))
        yield compile_slot(
            storage,
            rows,
            memory.setdefault(storage, Memory()),
            {
                operation
                for operation, scopes in (definition.operations or {}).items()
                if extension.kind.scope in scopes and operation.is_intent in kinds
            },
            entity=entity,
            streamed=storage == "sys.Result" and extension.kind is ExtensionKind.QUERY,
            refuse=lambda operation, storage=storage: ScopeError(
                f"{name} may not {operation} {storage}",
                storage=storage,
                operation=operation,
                scope=extension.kind.scope,
                who=str(name),
            ),
        )


@pytest.fixture(scope="session")
def compiled() -> AppDef:
    packages = {path: dict(files) for path, files in installed().packages().items()}
    done = compile_app({**packages, PACKAGE: {"t.vsql": VSQL}})
    assert done.appdef is not None, done.diagnostics
    return done.appdef


@pytest.fixture
def stage(tmp_path: Path, compiled: AppDef) -> Iterator[Stage]:
    """Return an app without code, and free what is loaded for it."""
    folder = tmp_path / "acme.t"
    package = folder / "image" / "pkg" / PACKAGE
    package.mkdir(parents=True)
    (folder / "descriptor.json").write_text("{}")
    (package / "t.vsql").write_text(VSQL)
    memory: dict[str, Memory] = {}
    schemas = Schemas(compiled)
    rows: dict[Any, Rows] = {}
    slots = {str(name): list(_slots(compiled, name, schemas, memory, rows)) for name in compiled.extensions}
    made = Stage(folder, compiled, memory, slots, [])
    yield made
    for engine in made.engines:
        engine.free()


@pytest.fixture
def wat() -> Callable[[], Wat]:
    return Wat
