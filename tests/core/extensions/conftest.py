from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import pytest

from statehold.events import Schemas
from statehold.extensions import EngineContext, Use
from statehold.images import open_image
from statehold.loading import installed
from statehold.sdk import (
    CallContext,
    Field,
    Intent,
    Key,
    Operation,
    Principal,
    Scope,
    ScopeError,
    Value,
    merge,
)
from statehold.state import Rows, Slot, State, Uses, compile_rows, compile_slot
from statehold_vsql import compile_app
from statehold_vsql.appdef import AppDef, ExtensionDef

BILLS = """
APPLICATION bills();

STATESTORAGE ENGINE BUILTIN (
  -- The bills of a restaurant
  STORAGE Bills (
    GET SCOPE(COMMANDS, QUERIES, PROJECTORS), GETBATCH SCOPE(QUERIES), READ SCOPE(QUERIES),
    INSERT SCOPE(COMMANDS), UPDATE SCOPE(COMMANDS)
  )
  KEY (Number int64 NOT NULL) VALUE (Waiter text NOT NULL, Total money, PaidIn text)
  WITH PROVIDER=Table;

  STORAGE Rates (GET SCOPE(COMMANDS, QUERIES, JOBS), INSERT SCOPE(JOBS))
  KEY (Currency text NOT NULL) VALUE (Currency text, PerEuro float64) WITH PROVIDER=Table;
)

ALTER WORKSPACE sys.AppWorkspaceWS (
  EXTENSION ENGINE PYTHON (
    JOB RefreshRates '@every 1h' STATE(Rates) INTENTS(Rates, sys.Logger);
  );
);

WORKSPACE RestaurantWS (
  DESCRIPTOR RestaurantDescriptor ();
  TYPE PayBillParams (Number int64 NOT NULL, Currency varchar(3));
  -- What a bill comes to
  TYPE BillResult (Total money NOT NULL, Waiter text);
  VIEW Turnover (Day int32 NOT NULL, Bill int32 NOT NULL, Total money, PRIMARY KEY ((Day), Bill))
    AS RESULT OF CountTurnover;
  VIEW Other (Day int32 NOT NULL, Bill int32 NOT NULL, Total money, PRIMARY KEY ((Day), Bill))
    AS RESULT OF CountTurnover;
  EXTENSION ENGINE PYTHON (
    COMMAND PayBill(PayBillParams) STATE(Bills) INTENTS(Bills, sys.Response) RETURNS BillResult;
    QUERY Bill(PayBillParams) STATE(Bills, sys.View(Turnover)) RETURNS BillResult;
    PROJECTOR CountTurnover AFTER EXECUTE ON PayBill
      STATE(sys.View(Turnover)) INTENTS(sys.View(Turnover), sys.View(Other));
  );
);
"""

CODE = {
    "__init__.py": "",
    "jobs.py": """
from statehold.sdk import extension

@extension
def refresh_rates(call): ...
""",
    "bills.py": """
from statehold.sdk import extension

@extension
def pay_bill(call): ...

@extension("Bill")
def show(call): ...

@extension
def CountTurnover(call): ...
""",
}

#: KEY and VALUE of storages whose declarations leave them to their providers.
FIELDS: Mapping[str, tuple[Sequence[Field], Sequence[Field]]] = {
    "sys.Response": ([], [Field("StatusCode", "int32"), Field("ErrorMessage", "text")]),
    "sys.Logger": ([Field("LogLevel", "int32", required=True)], [Field("Message", "text", required=True)]),
}


class Memory:
    """Keeps rows."""

    def __init__(self) -> None:
        self.rows: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        return self.rows.get(key)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        return [self.rows.get(key) for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        return iter(list(self.rows.items()))

    def value_to_insert(self, key: Key, value: Value) -> Value:
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        return merge(existing, changes)

    def validate(self, items: Sequence[Intent]) -> None: ...

    def apply_batch(self, items: Sequence[Intent]) -> None:
        self.rows |= {item.key: item.value for item in items}

    def free(self) -> None: ...


@attrs.define
class Stage:
    """An app with storages in memory: what an engine gets of a host, without one."""

    folder: Path
    appdef: AppDef
    memory: dict[str, Memory]
    slots: dict[str, list[Slot]]

    def context(self, **more: Any) -> EngineContext:
        uses = {
            name: [
                Use(storage=slot.storage, entity=slot.entity, rows=slot.rows, allowed=slot.allowed)
                for slot in slots
            ]
            for name, slots in self.slots.items()
        }
        given: dict[str, Any] = {
            "app": "acme.bills",
            "version": "1",
            "appdef": self.appdef,
            "image": open_image(self.folder),
            "uses": uses,
            "partitions": 2,
            "pool_sizes": dict.fromkeys(Scope, 2),
            "patience": 0.01,
            "logger": logging.getLogger("statehold.test"),
        }
        return EngineContext(**{**given, **more})

    def state(self, extension: str, **call: Any) -> State:
        definition = next(each for name, each in self.appdef.extensions.items() if str(name) == extension)
        context = CallContext(
            **{
                "scope": definition.kind.scope,
                "workspace": 7,
                "extension": extension,
                "principal": Principal(name="ann"),
                **call,
            }
        )
        return State(Uses(f"{definition.kind} {extension}", self.slots[extension]), context)

    def put(self, storage: str, extension: str, entity: str | None = None, /, **fields: Any) -> None:
        slot = next(s for s in self.slots[extension] if (s.storage, s.entity) == (storage, entity))
        key = {field.name: fields[field.name] for field in slot.rows.key_fields}
        value = {field.name: fields.get(field.name) for field in slot.rows.value_fields}
        self.memory[storage].rows[slot.rows.key(7, **key)] = slot.rows.value(**value)


def make_stage(folder: Path, vsql: str, code: Mapping[str, str]) -> Stage:
    package = folder / "acme.bills" / "image" / "pkg" / "acme.example" / "bills"
    (package / "extensions").mkdir(parents=True)
    (folder / "acme.bills" / "descriptor.json").write_text("{}")
    (package / "bills.vsql").write_text(vsql)
    for name, text in code.items():
        path = package / "extensions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    packages = {path: dict(files) for path, files in installed().packages().items()}
    done = compile_app({**packages, "acme.example/bills": {"bills.vsql": vsql}})
    assert done.appdef is not None, done.diagnostics
    memory: dict[str, Memory] = {}
    known: dict[tuple[str, str | None], Rows] = {}
    schemas = Schemas(done.appdef)
    slots = {
        str(name): list(_slots(done.appdef, extension, schemas, memory, known))
        for name, extension in done.appdef.extensions.items()
    }
    return Stage(folder / "acme.bills", done.appdef, memory, slots)


def _slots(
    appdef: AppDef,
    extension: ExtensionDef,
    schemas: Schemas,
    memory: dict[str, Memory],
    known: dict[tuple[str, str | None], Rows],
) -> Iterator[Slot]:
    wanted: dict[tuple[str, str | None], set[bool]] = {}
    for is_intent, uses in ((False, extension.state), (True, extension.intents)):
        for use in uses:
            for entity in use.entities or (None,):
                wanted.setdefault((str(use.storage), entity and str(entity)), set()).add(is_intent)
    if extension.returns is not None:
        wanted["sys.Result", None] = {True}
    storages = {str(name): storage for name, storage in appdef.storages.items()}
    for (name, entity), kinds in wanted.items():
        definition = storages[name]
        allowed = {
            operation
            for operation, scopes in (definition.operations or {}).items()
            if extension.kind.scope in scopes and operation.is_intent in kinds
        }
        if name == "sys.Result":
            rows = schemas[extension.returns].rows
        elif entity is not None:
            rows = schemas[entity].rows
        elif definition.key is not None:
            rows = compile_rows(name, definition.key, definition.value or ())
        else:
            rows = compile_rows(name, *FIELDS[name])
        yield compile_slot(
            name,
            known.setdefault((name, entity or rows.storage), rows),
            memory.setdefault(name, Memory()),
            allowed,
            entity=entity,
            refuse=_refusal(extension, name),
        )


def _refusal(extension: ExtensionDef, storage: str) -> Callable[[Operation], ScopeError]:
    def refuse(operation: Operation) -> ScopeError:
        return ScopeError(
            f"{extension.kind} {extension.name} may not {operation} {storage}",
            storage=storage,
            operation=operation,
            scope=extension.kind.scope,
            who=str(extension.name),
        )

    return refuse


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Stage]:
    """Return what makes an app: of other code, and of declarations in which a text is changed for another."""

    folders = (tmp_path / str(number) for number in count())

    def make(code: Mapping[str, str] | None = None, *, change: tuple[str, str] = ("", "")) -> Stage:
        return make_stage(
            next(folders), BILLS.replace(*change) if change[0] else BILLS, {**CODE, **(code or {})}
        )

    return make
