"""Random declarations, random calls: no operation outside a permitting scope ever reaches a plugin."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statehold.hosting import Host, Partition
from statehold.images import build_image
from statehold.sdk import Operation, Scope, ScopeError
from statehold.state import METHODS, Facade
from statehold_vsql import ExtensionKind

# Does everything and remembers what it was asked.
SPY = """
from statehold.sdk import Field, Operation, Provider, merge

class Spy:
    def __init__(self, ctx):
        self.calls, self.value = [], ctx.value(Seen=1)
    def get(self, key):
        self.calls.append("GET")
        return self.value
    def get_batch(self, keys):
        self.calls.append("GETBATCH")
        return [self.value for _ in keys]
    def read(self, key):
        self.calls.append("READ")
        return iter(())
    def value_to_insert(self, key, value):
        self.calls.append("INSERT")
        return value
    def value_to_update(self, key, existing, changes):
        self.calls.append("UPDATE")
        return merge(existing, changes)
    def validate(self, items): pass
    def apply_batch(self, items): pass
    def free(self): pass

def spy(name):
    return Provider(name=name, open=Spy, operations=Operation, value=[Field("Seen", "int64")],
                    key=[Field("Id", "int64", required=True)], sync_projector=True)

S0, S1, S2 = spy("S0"), spy("S1"), spy("S2")
"""
PYPROJECT = """
[project]
name = "spies"
version = "1"
[project.entry-points."statehold.storages"]
S0 = "spies:S0"
S1 = "spies:S1"
S2 = "spies:S2"
"""
KINDS = [kind for kind in ExtensionKind if kind.scope is not None]
READS = [operation for operation in Operation if not operation.is_intent]
ASKS = [operation for operation in Operation if operation.is_intent]

Declaration = Mapping[str, Mapping[Operation, frozenset[Scope]]]

operations = st.dictionaries(
    st.sampled_from(Operation), st.frozensets(st.sampled_from(Scope), min_size=1), min_size=1
)
storages = st.tuples(operations, operations, operations).map(
    lambda declared: {f"S{i}": ops for i, ops in enumerate(declared)}
)


@attrs.frozen
class App:
    """A declaration, what the operator leaves of it, and what each kind of extension says it uses."""

    declared: Declaration
    left: Declaration
    state: Mapping[ExtensionKind, tuple[str, ...]]
    intents: Mapping[ExtensionKind, tuple[str, ...]]

    def permits(self, kind: ExtensionKind, storage: str, operation: Operation) -> bool:
        """Say by the words of the design, not by the code, whether the call may reach the plugin."""
        used = self.intents if operation.is_intent else self.state
        return storage in used[kind] and kind.scope in self.left[storage].get(operation, ())


@st.composite
def apps(draw: st.DrawFn) -> App:
    """Draw an app that `check` accepts: what an extension may not use at all it does not mention."""
    declared = draw(storages)
    left = {
        name: {
            operation: draw(st.sampled_from([scopes, frozenset(list(scopes)[:1]), frozenset()]))
            for operation, scopes in ops.items()
        }
        for name, ops in declared.items()
    }

    def usable(kind: ExtensionKind, among: list[Operation]) -> tuple[str, ...]:
        fit = [n for n, ops in declared.items() if any(kind.scope in ops.get(o, ()) for o in among)]
        return tuple(draw(st.lists(st.sampled_from(fit), unique=True))) if fit else ()

    state = {kind: usable(kind, READS) for kind in KINDS}
    # A QUERY has no INTENTS clause.
    intents = {kind: () if kind is ExtensionKind.QUERY else usable(kind, ASKS) for kind in KINDS}
    return App(declared, left, state, intents)


def write(app: App, folder: Path) -> Path:
    """Write the application's source folder."""
    root = folder / "acme.spied"
    package = root / "image/pkg/example.com/spied"
    (package / "storages/spies").mkdir(parents=True)
    (package / "storages/spies/__init__.py").write_text(SPY)
    (package / "storages/pyproject.toml").write_text(PYPROJECT)

    def permits(scopes: frozenset[Scope]) -> str:
        return f"SCOPE({', '.join(sorted(scopes))})"

    declared = "".join(
        f"STORAGE {name} ({', '.join(f'{op} {permits(scopes)}' for op, scopes in ops.items())}) "
        "KEY (Id int64 NOT NULL) VALUE (Seen int64);\n"
        for name, ops in app.declared.items()
    )
    forms = {
        ExtensionKind.COMMAND: "COMMAND E0 {state} {intents}",
        ExtensionKind.QUERY: "QUERY E1 {state} RETURNS void",
        ExtensionKind.PROJECTOR: "PROJECTOR E2 AFTER INSERT ON Thing {state} {intents}",
        ExtensionKind.JOB: "JOB E3 '0 0 * * *' {state} {intents}",
    }

    def clause(word: str, used: tuple[str, ...]) -> str:
        return f"{word}({', '.join(used)})" if used else ""

    extensions = "".join(
        form.format(state=clause("STATE", app.state[kind]), intents=clause("INTENTS", app.intents[kind]))
        + ";\n"
        for kind, form in forms.items()
    )
    (package / "spied.vsql").write_text(
        f"APPLICATION spied();\nSTATESTORAGE ENGINE PYPLUGIN (\n{declared});\n"
        f"ALTER WORKSPACE sys.AppWorkspaceWS (\nTABLE Thing INHERITS sys.CDoc (N int64);\n"
        f"EXTENSION ENGINE PYTHON (\n{extensions});\n);\n"
    )
    functions = "".join(
        f"@extension('E{number}')\ndef e{number}(call): pass\n" for number in range(len(forms))
    )
    (package / "extensions").mkdir()
    (package / "extensions/spied.py").write_text(f"from statehold.sdk import extension\n{functions}")
    scopes = {
        f"spied.{name}": {"scopes": {op: sorted(scopes) for op, scopes in ops.items()}}
        for name, ops in app.left.items()
    }
    (root / "descriptor.json").write_text(json.dumps({"Version": "1", "Storages": scopes}))
    return root


def use(facade: Facade, key: object, value: object, operation: Operation, *, by_fields: bool) -> None:
    if operation is Operation.GET and by_fields:
        facade.find(1, Id=1)
        return
    arguments = {
        Operation.GETBATCH: ([key],),
        Operation.INSERT: (key, {"Seen": 2}),
        Operation.UPDATE: (key, value, {"Seen": 3}),
    }.get(operation, (key,))
    getattr(facade, METHODS[operation])(*arguments)


def call(partition: Partition, facade: Facade, storage: str, operation: Operation, *, by_fields: bool) -> str:
    """Use the operation; return what came of it, seen from the plugin and from the caller."""
    spy = partition.storage(f"spied.{storage}")
    before = len(spy.calls)  # type: ignore[attr-defined]
    try:
        key = partition.scoped(f"spied.{storage}", Scope.JOBS).key(1, Id=1)
        use(facade, key, spy.value, operation, by_fields=by_fields)  # type: ignore[attr-defined]
    except ScopeError as caught:
        denied = caught
    else:
        assert spy.calls[before:] == [operation]  # type: ignore[attr-defined]
        return "reached"
    assert spy.calls[before:] == [], "the plugin was reached"  # type: ignore[attr-defined]
    assert (denied.storage, denied.operation) == (f"spied.{storage}", operation)
    return "denied"


@pytest.mark.parametrize("count_calls", [True, False], ids=["counted", "uncounted"])
@settings(max_examples=15)
@given(app=apps(), seed=st.integers(0, 2**32))
def test_a_call_reaches_the_plugin_exactly_where_declaration_and_operator_permit_it(
    tmp_path_factory: pytest.TempPathFactory, count_calls: bool, app: App, seed: int
) -> None:
    """Every extension, storage and operation, in random order and more than once."""
    folder = tmp_path_factory.mktemp("app")
    with Host(folder / "data", environ={}, count_calls=count_calls) as host:
        host.deploy(build_image(write(app, folder), folder))
        with host.app("acme.spied").borrow() as partition:
            tries = 2 * [*itertools.product(enumerate(KINDS), app.declared, Operation, (False, True))]
            random.Random(seed).shuffle(tries)
            for (number, kind), storage, operation, by_fields in tries:
                facade = partition.facades(f"spied.E{number}").get(f"spied.{storage}")
                expected = "reached" if app.permits(kind, storage, operation) else "denied"
                if facade is None:
                    # The extension does not say that it uses the storage, so it holds nothing of it.
                    assert storage not in (*app.state[kind], *app.intents[kind])
                else:
                    assert call(partition, facade, storage, operation, by_fields=by_fields) == expected
                assert kind.scope is not None
                permitted = kind.scope in app.left[storage].get(operation, ())
                scoped = partition.scoped(f"spied.{storage}", kind.scope)
                expected = "reached" if permitted else "denied"
                assert call(partition, scoped, storage, operation, by_fields=by_fields) == expected
