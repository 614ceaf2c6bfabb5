"""Every builtin storage, every kind of extension, STATE and INTENTS: 170 verdicts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold_sys.contracts import CONTRACTS
from statehold_vsql import Operation, Scope

_KINDS = {
    "COMMAND": Scope.COMMANDS,
    "QUERY": Scope.QUERIES,
    "PROJECTOR": Scope.PROJECTORS,
    "SYNC PROJECTOR": Scope.PROJECTORS,
    "JOB": Scope.JOBS,
}

# Operations and scopes as documented: G get, B getbatch, R read, I insert, U update; C, Q, P, J the scopes.
_DOCUMENTED = """
Record            G CQPJ  B CQPJ  I C  U C
View              G CQPJ  B CQPJ  R QPJ  I PJ  U PJ
Uniq              G CQPJ
WLog              G CQPJ  R QPJ
AppSecret         G CQPJ
RequestSubject    G CQ
Http              R QPJ
FederationCommand G QPJ
FederationBlob    R QPJ
SendMail          G PJ  I PJ
Result            I CQ
Response          I CQ
Event             G P
CommandContext    G C
QueryContext      G Q
JobContext        G J
Logger            I CQPJ
"""
_OPERATIONS = dict(zip("GBRIU", Operation, strict=True))
_SCOPES = dict(zip("CQPJ", Scope, strict=True))
_NOT_IN_SYNC = {"Http", "SendMail", "Event", "FederationCommand", "FederationBlob"}


def _documented() -> dict[str, dict[Operation, frozenset[Scope]]]:
    table = {}
    for line in _DOCUMENTED.strip().splitlines():
        name, *words = line.split()
        pairs = (
            itertools.batched(words, 2)
            if hasattr(itertools, "batched")
            else zip(words[::2], words[1::2], strict=True)
        )
        table[name] = {_OPERATIONS[op]: frozenset(_SCOPES[s] for s in scopes) for op, scopes in pairs}
    return table


_TABLE = _documented()
_MATRIX = list(itertools.product(_TABLE, _KINDS, ("STATE", "INTENTS")))


def _is_permitted(storage: str, kind: str, clause: str) -> bool:
    operations = _TABLE[storage]
    return any(
        _KINDS[kind] in scopes and operation.is_intent == (clause == "INTENTS")
        for operation, scopes in operations.items()
    )


def _verdict_of_upstream(storage: str, kind: str, clause: str) -> bool:
    # QUERY has no INTENTS clause at all.
    return not (kind == "QUERY" and clause == "INTENTS") and _is_permitted(storage, kind, clause)


def _declaration(storage: str, kind: str, clause: str) -> str:
    entity = {"Record": "(Bill)", "Uniq": "(Bill)", "View": "(Total)"}.get(storage, "")
    use = f"{clause}(«sys.{storage}»{entity})"
    extension = {
        "COMMAND": f"COMMAND E {use}",
        "QUERY": f"QUERY E {use} RETURNS void",
        "PROJECTOR": f"PROJECTOR E AFTER INSERT ON Bill {use}",
        "SYNC PROJECTOR": f"SYNC PROJECTOR E AFTER INSERT ON Bill {use}",
        "JOB": f"JOB E '@daily' {use}",
    }[kind]
    return f"""
        ALTER WORKSPACE sys.AppWorkspaceWS (
            TABLE Bill INHERITS sys.CDoc (Number int32, UNIQUE (Number));
            VIEW Total (Day int32, Hour int32, Sum int64, PRIMARY KEY ((Day), Hour)) AS RESULT OF Sums;
            EXTENSION ENGINE PYTHON (
                PROJECTOR Sums AFTER INSERT ON Bill INTENTS(sys.View(Total));
                {extension}
            );
        );
    """


def test_upstream_accepts_60_of_the_170_combinations() -> None:
    assert len(_MATRIX) == 170
    assert sum(_verdict_of_upstream(*case) for case in _MATRIX) == 60


@pytest.mark.parametrize(("storage", "kind", "clause"), _MATRIX)
def test_each_combination_without_contracts_gets_the_verdict_of_upstream(
    language, storage: str, kind: str, clause: str
) -> None:
    text = _declaration(storage, kind, clause)
    if kind == "QUERY" and clause == "INTENTS":
        compiled = language.compile(text.replace("«", "").replace("»", ""))
        assert compiled.appdef is None
        assert not any(d.code.startswith("scope") for d in compiled.diagnostics)
    elif _verdict_of_upstream(storage, kind, clause):
        language.accepts(text.replace("«", "").replace("»", ""))
    else:
        language.reports(text, f"scope-{clause.lower()}")


@pytest.mark.parametrize(("storage", "kind", "clause"), _MATRIX)
def test_each_combination_with_contracts_also_respects_what_a_sync_projector_may_use(
    language, storage: str, kind: str, clause: str
) -> None:
    text = _declaration(storage, kind, clause)
    if kind == "SYNC PROJECTOR" and storage in _NOT_IN_SYNC and _is_permitted(storage, kind, clause):
        told = language.report(text, "scope-sync", contracts=CONTRACTS)
        assert told.startswith(f"SYNC PROJECTOR E cannot use sys.{storage} in {clause}: ")
    elif kind == "QUERY" and clause == "INTENTS":
        assert language.compile(text, contracts=CONTRACTS).appdef is None
    elif _verdict_of_upstream(storage, kind, clause):
        language.accepts(text.replace("«", "").replace("»", ""), contracts=CONTRACTS)
    else:
        language.reports(text, f"scope-{clause.lower()}", contracts=CONTRACTS)


def test_contracts_say_the_same_as_the_declarations(language) -> None:
    app = language.accepts("", contracts=CONTRACTS)
    declared = {str(name): dict(storage.operations) for name, storage in app.storages.items()}
    assert declared == {f"sys.{name}": operations for name, operations in _TABLE.items()}
    assert {name: dict(contract.operations) for name, contract in CONTRACTS.items()} == _TABLE
    assert {name for name, contract in CONTRACTS.items() if not contract.sync_projector} == _NOT_IN_SYNC


def test_a_scope_error_says_who_what_where_and_how_to_permit_it(language) -> None:
    told = language.report(
        """STATESTORAGE ENGINE PYPLUGIN (
  STORAGE Scada (GET SCOPE(COMMANDS), READ SCOPE(JOBS, COMMANDS), INSERT SCOPE(JOBS))
)
WORKSPACE W (EXTENSION ENGINE PYTHON (
  QUERY Unpaid STATE(«Scada») RETURNS void
));""",
        "scope-state",
    )
    assert told == (
        "QUERY Unpaid cannot use bills.Scada in STATE: GET or READ is not for QUERIES (declared at "
        "bills.vsql:2:3: GET SCOPE(COMMANDS), READ SCOPE(COMMANDS, JOBS), INSERT SCOPE(JOBS)) | "
        "to permit it, add QUERIES to the SCOPE of GET or READ in the declaration"
    )


def test_a_storage_without_such_operations_says_so(language) -> None:
    told = language.report(
        "WORKSPACE W (EXTENSION ENGINE PYTHON (COMMAND Pay INTENTS(«sys.AppSecret»)));", "scope-intents"
    )
    assert "it has no INSERT or UPDATE (declared at sys.vsql:" in told
    assert told.endswith("it can only be used in STATE")


def test_a_builtin_storage_is_hinted_to_where_it_may_be_used(language) -> None:
    told = language.report(
        "WORKSPACE W (EXTENSION ENGINE WASM (COMMAND Pay STATE(«sys.Http»)));", "scope-state"
    )
    assert told.endswith("| use it in a QUERY, PROJECTOR or JOB")


_DECLARATIONS = st.dictionaries(
    st.sampled_from(list(Operation)), st.sets(st.sampled_from(list(Scope)), min_size=1), min_size=1
)


@given(_DECLARATIONS, st.sampled_from(list(_KINDS)), st.sampled_from(["STATE", "INTENTS"]))
def test_any_declaration_permits_exactly_what_it_says(declared, kind: str, clause: str) -> None:
    from statehold_vsql import compile_app

    operations = ", ".join(f"{op} SCOPE({', '.join(sorted(scopes))})" for op, scopes in declared.items())
    sys = "ABSTRACT WORKSPACE Workspace (ABSTRACT TABLE CRecord ()); ALTERABLE WORKSPACE AppWorkspaceWS ();"
    extension = {
        "COMMAND": f"COMMAND E {clause}(S)",
        "QUERY": f"QUERY E {clause}(S) RETURNS void",
        "PROJECTOR": f"PROJECTOR E AFTER INSERT ON sys.CRecord {clause}(S)",
        "SYNC PROJECTOR": f"SYNC PROJECTOR E AFTER INSERT ON sys.CRecord {clause}(S)",
        "JOB": f"JOB E '@daily' {clause}(S)",
    }[kind]
    text = f"""APPLICATION a (); STATESTORAGE ENGINE PYPLUGIN (S ({operations}));
    ALTER WORKSPACE sys.AppWorkspaceWS (EXTENSION ENGINE PYTHON ({extension}));"""
    compiled = compile_app({"sys": {"sys.vsql": sys}, "a": {"a.vsql": text}})
    is_permitted = any(
        _KINDS[kind] in s and op.is_intent == (clause == "INTENTS") for op, s in declared.items()
    )
    assert (compiled.appdef is not None) == (is_permitted and (kind, clause) != ("QUERY", "INTENTS"))
