"""Whole applications: the texts of the design, hostile sizes, and whatever else may be passed."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold_sys.contracts import CONTRACTS
from statehold_vsql import Compilation, Contract, Diagnostic, Operation, Scope, StorageEngine, compile_app
from statehold_vsql.appdef import QName

_EPHEMERAL = {
    "Ephemeral": Contract(operations={operation: frozenset(Scope) for operation in Operation}),
    **CONTRACTS,
}

_SEED_1 = """STATESTORAGE ENGINE BUILTIN (
  Ephemeral (
    GET         SCOPE(COMMANDS, QUERIES, PROJECTORS, JOBS),
    GETBATCH    SCOPE(COMMANDS, QUERIES, PROJECTORS, JOBS),
    READ        SCOPE(QUERIES, PROJECTORS, JOBS),
    INSERT      SCOPE(PROJECTORS),
    UPDATE      SCOPE(PROJECTORS)    
  )
)

STATESTORAGE ENGINE GOPLUGIN (
    STORAGE Http (
        READ SCOPE(QUERIES, PROJECTORS, JOBS)
    );
)
"""  # noqa: W291 - as written

_SEED_2 = """STATESTORAGE ENGINE BUILTIN (
  EphemeralBills
  
)
STATESTORAGE ENGINE GOPLUGIN (
    STORAGE Http (
        READ SCOPE(QUERIES, PROJECTORS, JOBS)
    );
)
"""  # noqa: W293 - as written

_DESIGN = """PARAMETER Ephemeral_PartitionMaxSize int DEFAULT 5000000;
PARAMETER SCADA_URL text DEFAULT '127.0.0.1:8765';
SECRET Scada_Password text;

STATESTORAGE ENGINE BUILTIN (
  Ephemeral (
    GET      SCOPE(COMMANDS, QUERIES, PROJECTORS, JOBS),
    GETBATCH SCOPE(COMMANDS, QUERIES, PROJECTORS, JOBS),
    READ     SCOPE(QUERIES, PROJECTORS, JOBS),
    INSERT   SCOPE(PROJECTORS),
    UPDATE   SCOPE(PROJECTORS)
  )
)

STATESTORAGE ENGINE PYPLUGIN (
  STORAGE Scada (
    GET    SCOPE(COMMANDS, QUERIES, PROJECTORS, JOBS),
    INSERT SCOPE(COMMANDS, JOBS)
  )
  KEY   (Device text NOT NULL, Point text NOT NULL)
  VALUE (Reading float64, At int64)
  WITH JSONCONFIG=`{"URL": "$SCADA_URL", "Password": "$Scada_Password"}`;
);
"""


@pytest.mark.parametrize("text", [_SEED_1, _SEED_2, _DESIGN])
def test_the_texts_of_the_design_compile_as_written(language, text: str) -> None:
    language.accepts(text)
    if "EphemeralBills" not in text:
        language.accepts(text, contracts=_EPHEMERAL)


def test_engines_are_kept_apart(language) -> None:
    app = language.accepts(_SEED_1)
    engines = {name.name: s.engine for name, s in app.storages.items() if name.package == "bills"}
    assert engines == {"Ephemeral": StorageEngine.BUILTIN, "Http": StorageEngine.GOPLUGIN}


def test_an_image_may_bring_its_own_sys(language) -> None:
    sys = """ABSTRACT WORKSPACE Workspace (
      ABSTRACT TABLE CRecord(); ABSTRACT TABLE WRecord(); ABSTRACT TABLE ORecord();
      ABSTRACT TABLE CDoc INHERITS CRecord(); ABSTRACT TABLE ODoc INHERITS ORecord();
      TYPE EchoParams (Text text NOT NULL); TYPE EchoResult (Res text NOT NULL);
      TAG AllowedToEveryoneTag; ROLE Everyone;
      VIEW RecordsRegistry (
        IDHi int64 NOT NULL, ID ref NOT NULL, WLogOffset int64 NOT NULL, PRIMARY KEY ((IDHi), ID)
      ) AS RESULT OF RecordsRegistryProjector;
      EXTENSION ENGINE BUILTIN (
        COMMAND CUD();
        QUERY Echo(EchoParams) RETURNS EchoResult WITH Tags=(AllowedToEveryoneTag);
        SYNC PROJECTOR RecordsRegistryProjector AFTER INSERT ON (CRecord, WRecord)
          OR AFTER EXECUTE WITH PARAM ON ODoc INTENTS(View(RecordsRegistry));
      );
      GRANT EXECUTE ON ALL QUERIES WITH TAG AllowedToEveryoneTag TO Everyone;
    );
    ALTERABLE WORKSPACE AppWorkspaceWS (DESCRIPTOR AppWorkspace ());
    EXTENSION ENGINE BUILTIN (
      STORAGE View (
        GET SCOPE(COMMANDS, QUERIES, PROJECTORS, JOBS),
        INSERT SCOPE(PROJECTORS, JOBS)
      ) ENTITY VIEW;
      STORAGE PLog (GET SCOPE(PROJECTORS))
    );"""
    app = language.accepts(
        "ALTER WORKSPACE sys.AppWorkspaceWS (EXTENSION ENGINE WASM (JOB Nightly '@daily'"
        " INTENTS(sys.View(sys.RecordsRegistry)); PROJECTOR P AFTER EXECUTE ON sys.CUD STATE(sys.PLog)));",
        sys=sys,
        contracts=CONTRACTS,
    )
    assert QName("sys", "CUD") in app.extensions


def test_an_application_cannot_be_changed(language) -> None:
    app = language.accepts(_DESIGN)
    storage = app.storages[QName("bills", "Scada")]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        app.name = "other"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        storage.engine = StorageEngine.WASM
    for mapping in (app.packages, app.storages, app.tables, app.workspaces, storage.operations):
        with pytest.raises(TypeError):
            mapping["x"] = 1


def test_the_same_text_gives_the_same_application(language) -> None:
    assert language.compile(_DESIGN) == language.compile(_DESIGN)


def test_all_independent_errors_of_all_files_come_in_one_run() -> None:
    compiled = compile_app(
        {
            "a": {
                "1.vsql": "WORKSPACE W (EXTENSION ENGINE WASM (COMMAND C(Nope)));",
                "2.vsql": "ROLE ;",
                "3.vsql": "STATESTORAGE ENGINE WASM (A (GET SCOPE(JOBS), GET SCOPE(JOBS)));",
            },
            "b": {"4.vsql": "ROLE R; APPLICATION b ();"},
        }
    )
    found = {(d.file, d.code) for d in compiled.diagnostics}
    assert {
        ("1.vsql", "undefined-type"),
        ("3.vsql", "duplicate-operation"),
        ("4.vsql", "role-outside-workspace"),
    } <= found
    assert any(file == "2.vsql" for file, _ in found)


def test_what_a_syntax_error_took_away_is_not_missing(language) -> None:
    compiled = language.compile(
        "WORKSPACE W (TYPE P (x int int); EXTENSION ENGINE WASM (COMMAND C(P)));\n"
        "STATESTORAGE ENGINE PYPLUGIN (STORAGE A (GET SCOPE(COMMANDS QUERIES)));"
    )
    assert compiled.appdef is None
    assert not [d for d in compiled.diagnostics if d.code.startswith(("undefined", "scope", "no-"))]


# --- sizes


def _compile(text: str) -> Compilation:
    sys = "ABSTRACT WORKSPACE Workspace (ABSTRACT TABLE CRecord (); ABSTRACT TABLE CDoc INHERITS CRecord ());"
    return compile_app({"sys": {"sys.vsql": sys}, "a": {"a.vsql": f"APPLICATION a ();{text}"}})


def test_a_deep_chain_of_workspaces_compiles() -> None:
    chain = "".join(f"ABSTRACT WORKSPACE W{i + 1} INHERITS W{i} (TYPE T{i + 1} (T{i}));" for i in range(1500))
    text = f"ABSTRACT WORKSPACE W0 (TYPE T0 (x int));{chain}"
    last = "WORKSPACE V INHERITS W1500 (EXTENSION ENGINE WASM (COMMAND C(T0, UNLOGGED T1500)));"
    assert not _compile(text + last).diagnostics


def test_a_deep_chain_of_tables_compiles() -> None:
    chain = "".join(f"ABSTRACT TABLE T{i + 1} INHERITS T{i} (f{i} int);" for i in range(1000))
    compiled = _compile(f"WORKSPACE W (ABSTRACT TABLE T0 INHERITS sys.CDoc ();{chain});")
    assert compiled.appdef is not None
    assert len(compiled.appdef.tables[QName("a", "T1000")].fields) == 1000


def test_a_large_circle_is_reported_once() -> None:
    circle = "".join(f"ABSTRACT TABLE T{i} INHERITS T{(i + 1) % 1500} ();" for i in range(1500))
    assert [d.code for d in _compile(f"WORKSPACE W ({circle});").diagnostics] == ["circular-inherits"]


def test_deeply_nested_tables_and_workspaces_make_no_traceback() -> None:
    depth = 28
    tables = (
        "TABLE T INHERITS sys.CDoc (" + "".join(f"i TABLE T{i} (" for i in range(depth)) + ")" * depth + ")"
    )
    assert not _compile(f"WORKSPACE W ({tables});").diagnostics
    inner = "".join(f"WORKSPACE W{i} (" for i in range(depth)) + ")" * depth
    assert not _compile(f"{inner};").diagnostics


def test_fields_that_multiply_stop_at_a_limit() -> None:
    types = "".join(
        f"TYPE T{i + 1} (T{i}, {', '.join(f'f{i}_{j} int' for j in range(40))});" for i in range(400)
    )
    compiled = _compile(f"WORKSPACE W (TYPE T0 (x int);{types});")
    assert [d.code for d in compiled.diagnostics] == ["too-many-fields"]


def test_thousands_of_undefined_names_are_all_reported() -> None:
    commands = "; ".join(f"COMMAND C{i}(Nope{i})" for i in range(3000))
    types = "; ".join(f"TYPE Nop{i} (x int)" for i in range(3000))
    compiled = _compile(f"WORKSPACE W ({types}; EXTENSION ENGINE WASM ({commands}));")
    assert [d.code for d in compiled.diagnostics] == ["undefined-type"] * 3000


# --- whatever is passed

_WORDS = st.sampled_from(
    [
        *(
            "ABSTRACT",
            "WORKSPACE",
            "TABLE",
            "TYPE",
            "VIEW",
            "INHERITS",
            "sys",
            ".",
            "CDoc",
            "Record",
            "View",
            "Http",
        ),
        *(
            "(",
            ")",
            "(",
            ")",
            ";",
            ",",
            "EXTENSION",
            "ENGINE",
            "WASM",
            "COMMAND",
            "QUERY",
            "PROJECTOR",
            "JOB",
        ),
        *(
            "STATE",
            "INTENTS",
            "RETURNS",
            "void",
            "SYNC",
            "AFTER",
            "INSERT",
            "ON",
            "EXECUTE",
            "GRANT",
            "TO",
            "ROLE",
        ),
        *(
            "A",
            "B",
            "C",
            "int",
            "text",
            "ref",
            "PRIMARY KEY",
            "((A),B)",
            "AS",
            "RESULT",
            "OF",
            "STATESTORAGE",
        ),
        *(
            "BUILTIN",
            "GET",
            "SCOPE(JOBS)",
            "SCOPE(COMMANDS)",
            "KEY",
            "VALUE",
            "WITH",
            'JSONCONFIG=`{"a":"$A"}`',
        ),
        *(
            "PARAMETER",
            "DEFAULT",
            "1",
            "'x'",
            "USE",
            "ALTER",
            "DESCRIPTOR",
            "UNIQUE",
            "LIMIT",
            "RATE",
            "PER",
            "HOUR",
        ),
        *("TAG", "IMPORT", "SCHEMA"),
    ]
)


@given(st.lists(_WORDS, max_size=60).map(" ".join))
def test_no_words_make_a_traceback(text: str) -> None:
    assert isinstance(_compile(text), Compilation)


_NAMES = st.sampled_from(["A", "B", "C", "D", "sys.CDoc", "sys.Record", "sys.View", "sys.Http", "x.Y"])
_STATEMENTS = st.sampled_from(
    [
        "TABLE {} INHERITS {} (f {}, r ref({}), UNIQUE (f), {})",
        "ABSTRACT TABLE {} INHERITS {} (n TABLE {} (f int), {})",
        "TYPE {} ({}, f {}, UNIQUE (f))",
        "VIEW {} (f int, g ref({}), PRIMARY KEY ((f), g)) AS RESULT OF {}",
        "EXTENSION ENGINE WASM (PROJECTOR {} AFTER INSERT ON {} STATE({}({})) INTENTS(sys.View({})))",
        "EXTENSION ENGINE WASM (COMMAND {}({}, UNLOGGED {}) STATE({}) RETURNS {} WITH Tags=({}))",
        "EXTENSION ENGINE PYTHON (PROJECTOR {} AFTER EXECUTE WITH PARAM ON ({}, {}))",
        "EXTENSION ENGINE BUILTIN (JOB {} '@daily' STATE({}) INTENTS({}, {}))",
        "ABSTRACT WORKSPACE {} INHERITS {} (USE WORKSPACE A; TYPE {} (f int))",
        "GRANT SELECT(f, g), UPDATE ON TABLE {} TO {}",
        "REVOKE {} FROM {}",
        "LIMIT {} ON TABLE {} WITH RATE {}",
        "RATE {} {} PER HOUR",
        "ROLE {}",
        "TAG {}",
    ]
)


@st.composite
def _workspaces(draw: st.DrawFn) -> str:
    statements = draw(st.lists(_STATEMENTS, max_size=8))
    filled = []
    for statement in statements:
        names = [draw(_NAMES) for _ in range(statement.count("{}"))]
        filled.append(statement.replace("{}", "%s") % tuple(names))
    return "; ".join(filled)


@given(_workspaces(), _workspaces(), _NAMES)
def test_no_declarations_make_a_traceback(one: str, two: str, base: str) -> None:
    compiled = _compile(
        f"ABSTRACT WORKSPACE A ({one}); WORKSPACE W INHERITS {base} ({two}); ALTER WORKSPACE W ({one});"
    )
    assert all(isinstance(d, Diagnostic) and d.message and d.code for d in compiled.diagnostics)
    assert (compiled.appdef is None) == any(d.severity == "error" for d in compiled.diagnostics)


def test_half_of_a_dotted_name_is_one_error(language) -> None:
    compiled = language.compile("WORKSPACE W (EXTENSION ENGINE WASM (COMMAND c STATE(sys.)));")
    assert [diagnostic.code for diagnostic in compiled.diagnostics] == ["syntax"]
