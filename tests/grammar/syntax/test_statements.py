"""Every statement of the grammar with every clause: what is accepted, what is not, and where."""

from __future__ import annotations

import pytest

from statehold_vsql import DataType, ExtensionEngine, Operation, Scope, StorageEngine
from statehold_vsql.syntax import parse_file
from statehold_vsql.syntax.nodes import (
    Action,
    CronTrigger,
    ParamKind,
    PrimaryKey,
    Reach,
    RecordField,
    RefField,
    Span,
    TargetKind,
    TimeUnit,
)

SEEDS = """
STATESTORAGE ENGINE BUILTIN (
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
STATESTORAGE ENGINE BUILTIN (
  EphemeralBills
  
)
STATESTORAGE ENGINE GOPLUGIN (
    STORAGE Http2 (
        READ SCOPE(QUERIES, PROJECTORS, JOBS)
    );
)
"""  # noqa: W291, W293  # as the seed has them


# --- files


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        ";",
        "ROLE a",
        "ROLE a;",
        ";ROLE a;",
        "ROLE a; ROLE b",
        "IMPORT SCHEMA 'a' ROLE a",
        "IMPORT SCHEMA 'a' AS b; IMPORT SCHEMA 'c' IMPORT SCHEMA 'd'; ROLE a;",
        "STATESTORAGE ENGINE WASM (A) STATESTORAGE ENGINE WASM (B); ROLE a; STATESTORAGE ENGINE WASM (C)",
    ],
)
def test_statements_are_separated_by_semicolons(syntax, text) -> None:
    syntax.accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "ROLE a;»; ROLE b",
        "; »; ROLE a",
        "ROLE a »ROLE b",
        "WORKSPACE W (ROLE a »ROLE b)",
        "WORKSPACE W (ROLE a;»; ROLE b)",
        "APPLICATION a (USE b;»;)",
        "ROLE a; »IMPORT SCHEMA 'x';",
        "»ENGINE WASM ();",
        "»TAG x; ROLE b;",
        "»SELECT * FROM x;",
    ],
)
def test_a_wrong_sequence_of_statements_is_one_error(syntax, text) -> None:
    syntax.report(text)


def test_application_import_declare_and_template(syntax) -> None:
    found = syntax.accepts(
        "IMPORT SCHEMA 'github.com/a/b' AS c; IMPORT SCHEMA 'd'; APPLICATION app (USE c; USE d;);"
        "APPLICATION none (); APPLICATION one (;USE x);"
        "DECLARE n int DEFAULT 5; DECLARE m int32 DEFAULT -1; TEMPLATE t OF WORKSPACE c.W SOURCE s"
    )
    first, second, app, none, one, declare, _, template = found
    assert (first.path.value, first.alias.text, second.alias) == ("github.com/a/b", "c", None)
    assert [use.package.text for use in app.uses] == ["c", "d"]
    assert (none.uses, len(one.uses)) == ((), 1)
    assert (declare.name.text, declare.default.value, declare.type.type) == ("n", 5, DataType.INT32)
    assert (template.name.text, template.workspace.text, template.source.text) == ("t", "c.W", "s")
    assert "only be an int" in syntax.report("DECLARE n »int64 DEFAULT 5;")


def test_parameters_and_secrets(syntax) -> None:
    found = syntax.accepts(
        "PARAMETER a int DEFAULT 5000000; PARAMETER b text; PARAMETER c float64 DEFAULT -1.5;"
        "PARAMETER d bool DEFAULT TRUE; PARAMETER e varchar(20) DEFAULT 'x'; SECRET f text"
    )
    assert [parameter.default and parameter.default.value for parameter in found] == [
        5000000,
        None,
        -1.5,
        True,
        "x",
        None,
    ]
    assert [parameter.secret for parameter in found] == [False] * 5 + [True]
    assert found[4].type.length.value == 20
    syntax.report("SECRET f text »DEFAULT 'x';")


# --- storages


def test_the_seed_is_accepted_as_written(syntax) -> None:
    ephemeral, http, bills, _ = syntax.accepts(SEEDS)
    assert [block.engine for block in (ephemeral, http)] == [StorageEngine.BUILTIN, StorageEngine.GOPLUGIN]
    (storage,) = ephemeral.storages
    assert [operation.operation for operation in storage.operations] == list(Operation)
    assert [scope.scope for scope in storage.operations[0].scopes] == list(Scope)
    assert storage.name.span == Span(3, 3, 3, 12)
    assert storage.operations[1].operation_span == Span(5, 5, 5, 13)
    assert storage.operations[2].scopes[1].span == Span(6, 32, 6, 42)
    assert bills.storages[0].operations is None


@pytest.mark.parametrize(
    "storages",
    [
        "",
        "A",
        "A B C",
        "A, B; STORAGE C,",
        "STORAGE A (GET SCOPE(JOBS));",
        "A (GET SCOPE(JOBS),) B (READ SCOPE(JOB),);",
        "A (GET SCOPE(JOBS)) ENTITY RECORD ENTITY VIEW, B ENTITY VIEW",
        "A KEY (a int,) VALUE (b text NOT NULL, c ref, d ref NOT NULL, e x.y,); B",
        "A VALUE (a int) KEY (b int)",
        "A WITH PROVIDER=P, JSONCONFIG=`{}`; B WITH Comment='x', Tags=(t)",
        "A WITH PROVIDER=P, B WITH PROVIDER=P C",
        "A (GET SCOPE(JOBS)) ENTITY RECORD KEY (a int) VALUE (b int) WITH PROVIDER = P; STORAGE B",
    ],
)
def test_storages_may_be_separated_in_each_way(syntax, storages) -> None:
    syntax.accepts(f"STATESTORAGE ENGINE PYPLUGIN ({storages}) ROLE a;")


def test_a_storage_has_all_its_clauses(syntax) -> None:
    block = syntax.one(
        "-- Orders.\nSTATESTORAGE ENGINE PYPLUGIN (/* One. */ STORAGE Orders "
        "(GET SCOPE(COMMAND, QUERY, PROJECTOR, JOB))"
        " ENTITY RECORD KEY (Id int64 NOT NULL) VALUE (Name text(20))"
        " WITH PROVIDER=Table, JSONCONFIG='{}',"
        " Tags=(a, b.c));"
    )
    (storage,) = block.storages
    assert (block.comment, storage.comment) == ("Orders.", "")
    assert [scope.scope for scope in storage.operations[0].scopes] == list(Scope)
    assert (storage.entity_record, storage.entity_view) == (True, False)
    assert (storage.key[0].name.text, storage.key[0].type.type, storage.key[0].not_null) == (
        "Id",
        DataType.INT64,
        True,
    )
    assert (storage.value[0].type.length.value, storage.value[0].not_null) == (20, False)
    assert (storage.provider.text, storage.config.value) == ("Table", "{}")
    assert [tag.text for tag in storage.tags] == ["a", "b.c"]
    assert storage.span == Span(2, 42, 2, 212)


@pytest.mark.parametrize(
    "text",
    [
        "STATESTORAGE ENGINE »JAVA (A);",
        "STATESTORAGE ENGINE WASM (A (»));",
        "STATESTORAGE ENGINE WASM (A (GET SCOPE(»)));",
        "STATESTORAGE ENGINE WASM (A (GET »(JOBS)));",
        "STATESTORAGE ENGINE WASM (A (GET SCOPE(JOBS,»)));",
        "STATESTORAGE ENGINE WASM (A KEY (»));",
        "WORKSPACE W (»STATESTORAGE ENGINE WASM (A));",
        "EXTENSION ENGINE BUILTIN (»A (GET SCOPE(JOBS)));",
        "EXTENSION ENGINE BUILTIN (STORAGE A (GET SCOPE(JOBS),»));",
    ],
)
def test_a_wrong_storage_is_one_error(syntax, text) -> None:
    syntax.report(text)


def test_the_root_holds_functions_and_storages_of_an_engine(syntax) -> None:
    block = syntax.one(
        "EXTENSION ENGINE BUILTIN (; FUNCTION f() RETURNS int; STORAGE A (GET SCOPE(JOBS)) ENTITY VIEW;"
        "STORAGE B (INSERT SCOPE(JOBS)) WITH Comment='b';)"
    )
    assert block.engine is ExtensionEngine.BUILTIN
    assert [item.name.text for item in block.items] == ["f", "A", "B"]
    assert block.items[2].comment == "b"
    assert "in a workspace" in syntax.report("EXTENSION ENGINE WASM (»QUERY q RETURNS any;);")
    assert "root" in syntax.report("WORKSPACE W (EXTENSION ENGINE WASM (»STORAGE A (GET SCOPE(JOBS));););")


# --- extensions


def test_commands(syntax) -> None:
    command = syntax.extension(
        "COMMAND c(a.B, UNLOGGED D) STATE(sys.Record(E, f.G), H) INTENTS(sys.View(I)) RETURNS J WITH Tags=(K)"
    )
    assert (command.argument.type.text, command.unlogged.type.text, command.returns.type.text) == (
        "a.B",
        "D",
        "J",
    )
    assert [(use.storage.text, [entity.text for entity in use.entities]) for use in command.state] == [
        ("sys.Record", ["E", "f.G"]),
        ("H", []),
    ]
    assert command.intents[0].entities[0].text == "I"
    assert command.state[0].storage.span == Span(1, 70, 1, 80)
    assert command.state[0].entities[1].span == Span(1, 84, 1, 87)
    assert [tag.text for tag in command.tags] == ["K"]


@pytest.mark.parametrize(
    ("params", "argument", "unlogged"),
    [
        ("", None, None),
        ("()", None, None),
        ("(any)", "any", None),
        ("(void)", "void", None),
        ("(UNLOGGED a)", None, "type"),
        ("(, UNLOGGED a)", None, "type"),
        ("(a UNLOGGED b)", "type", "type"),
        ("(a, UNLOGGED any)", "type", "any"),
    ],
)
def test_a_command_may_have_two_arguments(syntax, params, argument, unlogged) -> None:
    command = syntax.extension(f"COMMAND c{params}")
    assert [param and param.kind for param in (command.argument, command.unlogged)] == [
        argument and ParamKind(argument),
        unlogged and ParamKind(unlogged),
    ]


def test_queries(syntax) -> None:
    query = syntax.extension(
        "QUERY q(void) STATE(sys.Http) RETURNS any WITH Comment='c', Tags=(t), Comment='d'"
    )
    assert (query.argument.kind, query.returns.kind, query.comment) == (ParamKind.VOID, ParamKind.ANY, "d")
    assert syntax.extension("QUERY q()").returns is None


def test_projectors(syntax) -> None:
    projector = syntax.extension(
        "SYNC PROJECTOR p AFTER INSERT OR UPDATE ON (a, b.C) OR AFTER EXECUTE ON d OR CRON '1 2 * * *'"
        " OR AFTER EXECUTE WITH PARAM ON (E) STATE(s) INTENTS(i) INCLUDING ERRORS"
    )
    first, second, third, fourth = projector.triggers
    assert projector.sync
    assert projector.including_errors
    assert [word.action for word in first.actions] == [Action.INSERT, Action.UPDATE]
    assert [target.text for target in first.targets] == ["a", "b.C"]
    assert second.actions[0].action is Action.EXECUTE
    assert isinstance(third, CronTrigger)
    assert fourth.actions[0].action is Action.EXECUTE_WITH_PARAM
    assert not syntax.extension("PROJECTOR p AFTER ACTIVATE OR DEACTIVATE ON VIEW").sync


def test_jobs_and_functions(syntax) -> None:
    assert syntax.extension("JOB j '@every 2m' STATE(s) INTENTS(i)").schedule.value == "@every 2m"
    assert syntax.extension("JOB j").schedule is None
    assert syntax.extension("FUNCTION f(a, b text) RETURNS sys.T").returns.text == "sys.T"


@pytest.mark.parametrize(
    "extension",
    [
        "COMMAND c STATE(»)",
        "COMMAND c STATE(sys.Record(»))",
        "COMMAND c STATE(a,»)",
        "COMMAND c(a,»)",
        "COMMAND »a.b",
        "COMMAND c INTENTS(a) »STATE(b)",
        "COMMAND c RETURNS »",
        "QUERY q »INTENTS(a) RETURNS b",
        "QUERY q(UNLOGGED »a)",
        "PROJECTOR p »",
        "PROJECTOR p »STATE",
        "PROJECTOR p AFTER »SELECT ON a",
        "PROJECTOR p AFTER INSERT »OF a",
        "JOB j STATE(a) »'1 2 3 4 5'",
        "FUNCTION f »RETURNS int",
        "FUNCTION f(int,») RETURNS int",
        "»PROCEDURE x",
    ],
)
def test_a_wrong_extension_is_one_error_at_the_wrong_token(syntax, extension) -> None:
    syntax.report(
        f"WORKSPACE W (\n  EXTENSION ENGINE WASM (\n    QUERY a;\n    {extension};\n    QUERY b;\n  );\n);"
    )


# --- workspaces


@pytest.mark.parametrize(
    ("begin", "flags"),
    [
        ("WORKSPACE W", (False, False, False)),
        ("ABSTRACT WORKSPACE W", (True, False, False)),
        ("ALTERABLE WORKSPACE W", (False, True, False)),
        ("POOL OF WORKSPACE W", (False, False, True)),
        ("ABSTRACT POOL OF WORKSPACE W INHERITS a, b.C", (True, False, True)),
    ],
)
def test_workspaces(syntax, begin, flags) -> None:
    workspace = syntax.one(f"{begin} ();")
    assert (workspace.abstract, workspace.alterable, workspace.pool) == flags
    assert [name.text for name in workspace.inherits] == (["a", "b.C"] if "INHERITS" in begin else [])


@pytest.mark.parametrize("rest", ["", ";", "ROLE a", ";ROLE a;", " USE WORKSPACE x; WORKSPACE y (ROLE z)"])
@pytest.mark.parametrize("descriptor", ["DESCRIPTOR ()", "DESCRIPTOR d (a int, b.C, UNIQUE (a))"])
def test_a_descriptor_comes_first(syntax, descriptor, rest) -> None:
    workspace = syntax.one(f"WORKSPACE W ({descriptor}{rest})")
    assert (workspace.descriptor.name is not None) == ("d (" in descriptor)
    assert len(workspace.descriptor.items) == (3 if "d (" in descriptor else 0)
    assert len(workspace.statements) == rest.count("ROLE a") + 2 * rest.count("USE")


def test_altering_a_workspace(syntax) -> None:
    altered = syntax.one("ALTER WORKSPACE sys.W (TAG a; TAG b FEATURE 'f';);")
    assert altered.workspace.text == "sys.W"
    assert [tag.feature and tag.feature.value for tag in altered.statements] == [None, "f"]


@pytest.mark.parametrize(
    "text",
    [
        "WORKSPACE W (ROLE a; »DESCRIPTOR ())",
        "ALTER WORKSPACE W (»DESCRIPTOR ())",
        "WORKSPACE »a.b ()",
        "WORKSPACE W INHERITS »()",
        "WORKSPACE W (»APPLICATION a ())",
        "WORKSPACE W (USE »x)",
        "POOL »WORKSPACE W ()",
    ],
)
def test_a_wrong_workspace_is_one_error(syntax, text) -> None:
    syntax.report(f"{text};\nROLE x;")


# --- tables, types, views


def test_tables(syntax) -> None:
    table = syntax.inner(
        "-- About T.\nABSTRACT TABLE T INHERITS sys.CDoc ("
        "  a varchar(50) NOT NULL VERIFIABLE DEFAULT 'x' CHECK '^x$' CHECK (a = 'x'),"
        "  b int DEFAULT 5 CHECK (b IN (1, 2)), c sys.Type, D, e.F,"
        "  g ref, h ref(T) NOT NULL, i ref (T, j.K), l TABLE M (n int) WITH Tags=(t),"
        "  o ABSTRACT TABLE P INHERITS q.R () WITH Comment='p', Comment bytes,"
        "  UNIQUEFIELD a, UNIQUE (a, b), CHECK (f(a, 1)), CONSTRAINT s UNIQUE (a), CONSTRAINT u CHECK (TRUE)"
        ") WITH Comment='of T', Tags=(v, w.X)"
    )
    assert (table.abstract, table.inherits.text, table.comment) == (True, "sys.CDoc", "of T")
    a, b, c, d, f, g, h, i, m, p, comment, *constraints = table.items
    assert (a.not_null, a.verifiable, a.default.value, a.check_regexp.value, a.check.operator) == (
        True,
        True,
        "x",
        "^x$",
        "=",
    )
    assert (b.not_null, b.default.value, b.check.operator, b.check_regexp) == (False, 5, "IN", None)
    assert (c.type.text, d.type.text, f.type.text) == ("sys.Type", "D", "e.F")
    assert [(ref.not_null, [target.text for target in ref.targets]) for ref in (g, h, i)] == [
        (False, []),
        (True, ["T"]),
        (False, ["T", "j.K"]),
    ]
    assert (m.name.text, m.table.name.text, m.table.tags[0].text) == ("l", "M", "t")
    assert (p.table.inherits.text, p.table.comment, p.table.abstract) == ("q.R", "p", True)
    assert (comment.name.text, comment.type.type) == ("Comment", DataType.BYTES)
    assert [found.constraint and found.constraint.text for found in constraints] == [
        None,
        None,
        None,
        "s",
        "u",
    ]
    assert [tag.text for tag in table.tags] == ["v", "w.X"]


@pytest.mark.parametrize(
    ("written", "type_"),
    [
        ("character varying", DataType.TEXT),
        ("varchar", DataType.TEXT),
        ("text", DataType.TEXT),
        ("binary varying", DataType.BYTES),
        ("varbinary", DataType.BYTES),
        ("bytes", DataType.BYTES),
        ("tinyint", DataType.INT8),
        ("int8", DataType.INT8),
        ("smallint", DataType.INT16),
        ("int16", DataType.INT16),
        ("integer", DataType.INT32),
        ("int", DataType.INT32),
        ("int32", DataType.INT32),
        ("bigint", DataType.INT64),
        ("int64", DataType.INT64),
        ("real", DataType.FLOAT32),
        ("float", DataType.FLOAT32),
        ("float32", DataType.FLOAT32),
        ("double precision", DataType.FLOAT64),
        ("float64", DataType.FLOAT64),
        ("timestamp", DataType.TIMESTAMP),
        ("money", DataType.MONEY),
        ("currency", DataType.MONEY),
        ("boolean", DataType.BOOL),
        ("bool", DataType.BOOL),
        ("binary large object", DataType.BLOB),
        ("blob", DataType.BLOB),
        ("qualified name", DataType.QNAME),
        ("qname", DataType.QNAME),
    ],
)
def test_a_data_type_has_several_names(syntax, written, type_) -> None:
    first, second = syntax.inner(f"TYPE T ({written.replace(' ', '_')} {written}, b {written})").items
    assert first.type.type is second.type.type is type_
    if type_ in (DataType.TEXT, DataType.BYTES):
        assert syntax.inner(f"TYPE T (b {written}(5))").items[0].type.length.value == 5
    else:
        syntax.report(f"WORKSPACE W (TYPE T (b {written}»(5)))")


def test_views(syntax) -> None:
    view = syntax.inner(
        "VIEW V (a int NOT NULL, b text(3), c ref NOT NULL, d ref(T, u.V) NOT NULL, e ref, f ref(T),"
        " g record, h record NOT NULL,"
        " PRIMARY KEY ((a, b), c, d)) AS RESULT OF x.P WITH Tags=(t)"
    )
    a, b, c, d, _, f, g, h, key = view.items
    assert (a.not_null, b.type.length.value) == (True, 3)
    assert isinstance(c, RefField)
    assert (c.not_null, [target.text for target in d.targets], d.not_null, f.not_null) == (
        True,
        ["T", "u.V"],
        True,
        False,
    )
    assert isinstance(g, RecordField)
    assert h.not_null
    assert [name.text for name in (*key.partition, *key.clustering)] == ["a", "b", "c", "d"]
    assert view.result_of.text == "x.P"


@pytest.mark.parametrize(
    ("key", "partition", "clustering", "columns"),
    [
        ("", 0, 0, (34, 36)),
        ("(a)", 1, 0, (35, 38)),
        ("(a, b) c", 2, 1, (35, 43)),
        ("(a), c, d", 1, 2, (35, 44)),
        ("a, b", 0, 2, (35, 39)),
        (", a", 0, 1, (37, 38)),
    ],
)
def test_each_form_of_a_primary_key(syntax, key, partition, clustering, columns) -> None:
    (found,) = syntax.inner(f"VIEW V (PRIMARY KEY ({key})) AS RESULT OF p").items
    assert isinstance(found, PrimaryKey)
    assert (len(found.partition), len(found.clustering)) == (partition, clustering)
    assert (found.span.column, found.span.end_column) == columns


@pytest.mark.parametrize(
    "statement",
    [
        "TABLE T (a int,»)",
        "TABLE T (»,a int)",
        "TABLE T (a int »b int)",
        "TABLE T (a »5)",
        "TABLE T (a int »NOT b)",
        "TABLE T (a int DEFAULT »x)",
        "TABLE T (a int CHECK »x)",
        "TABLE T (a int VERIFIABLE »NOT NULL)",
        "TABLE T (UNIQUE (»))",
        "TABLE T »INHERIT a ()",
        "TABLE T INHERITS a», b ()",
        "TABLE T (a ref(»))",
        "TYPE T (a int) »WITH Tags=(b)",
        "VIEW V (a int) »WITH Tags=(b)",
        "VIEW V (a »foo.bar) AS RESULT OF p",
        "VIEW V (a int, PRIMARY »(a)) AS RESULT OF p",
        "VIEW V (a int,») AS RESULT OF p",
        "VIEW V (a int) AS RESULT OF »",
        "TABLE T () WITH »Tag=(b)",
        "TABLE T () WITH Tags=(»)",
        "TABLE T () WITH Tags=»b",
        "TABLE T () WITH Tags=(b),»",
    ],
)
def test_a_wrong_table_or_view_is_one_error(syntax, statement) -> None:
    syntax.report(f"WORKSPACE W (\n  ROLE a;\n  {statement};\n  ROLE b;\n);")


# --- expressions


@pytest.mark.parametrize(
    ("written", "operator", "operands"),
    [
        ("a", None, 0),
        ("a OR b OR c", "OR", 3),
        ("a AND b AND NOT c", "AND", 3),
        ("a OR b AND c", "OR", 2),
        ("NOT NOT a", "NOT", 1),
        ("a <> 1", "<>", 2),
        ("a + 1 <= b.c.d * 2", "<=", 2),
        ("a != 'x'", "!=", 2),
        ("a IS NULL", "IS NULL", 1),
        ("a IS NOT /**/ NULL", "IS NOT NULL", 1),
        ("a BETWEEN 1 AND 2 AND b", "AND", 2),
        ("a BETWEEN 1 AND 2", "BETWEEN", 3),
        ("a IN (1, 2.5, NULL)", "IN", 4),
        ("(a % 2 = 0)", "=", 2),
        ("a.b(c, d = TRUE)", "CALL", 3),
        ("1 - 2 > FALSE", ">", 2),
    ],
)
def test_expressions(syntax, written, operator, operands) -> None:
    (check,) = syntax.inner(f"TABLE T (CHECK ({written}))").items
    assert getattr(check.check, "operator", None) == operator
    assert len(getattr(check.check, "operands", ())) == operands


@pytest.mark.parametrize(
    "written", ["»", "a OR »", "a = »= b", "a + b »+ c", "a IS »b", "a BETWEEN 1 »OR 2", "(a»,)", "a IN (»)"]
)
def test_a_wrong_expression_is_one_error(syntax, written) -> None:
    syntax.report(f"WORKSPACE W (\n TABLE T (a int, CHECK ({written}), b int);\n ROLE x;\n)")


# --- rights and rates


def test_grants(syntax) -> None:
    grant = syntax.inner("GRANT SELECT(a, sys.ID), UPDATE ON TABLE b.C TO d.E")
    assert [(word.action, [column.text for column in word.columns]) for word in grant.actions] == [
        (Action.SELECT, ["a", "sys.ID"]),
        (Action.UPDATE, []),
    ]
    assert (grant.target.kind, grant.target.reach, grant.target.name.text) == (
        TargetKind.TABLE,
        Reach.ONE,
        "b.C",
    )
    assert (grant.role.text, grant.revoke) == ("d.E", False)
    revoke = syntax.inner("REVOKE EXECUTE ON ALL QUERIES WITH TAG t FROM r")
    assert (revoke.target.kind, revoke.target.reach, revoke.target.tag.text) == (
        TargetKind.QUERY,
        Reach.ALL,
        "t",
    )
    assert revoke.revoke
    assert syntax.inner("GRANT a.B TO c").granted.text == "a.B"


@pytest.mark.parametrize(
    "what",
    [
        "EXECUTE ON COMMAND a",
        "EXECUTE ON QUERY a",
        "EXECUTE ON ALL COMMANDS",
        "SELECT ON ALL VIEWS WITH TAG t",
        "SELECT ON VIEW a",
        "SELECT(a, b) ON VIEW c",
        "ALL ON ALL TABLES",
        "ALL ON TABLE a",
        "ALL(a, sys.IsActive) ON TABLE b",
        "INSERT, ACTIVATE, DEACTIVATE ON ALL TABLES WITH TAG t",
    ],
)
def test_each_action_with_what_it_fits(syntax, what) -> None:
    syntax.accepts(f"WORKSPACE W (GRANT {what} TO r; REVOKE {what} FROM r)")


@pytest.mark.parametrize(
    "what",
    [
        "»SELECT ON COMMAND a",
        "»INSERT ON VIEW a",
        "»EXECUTE ON TABLE a",
        "»ALL, INSERT ON TABLE a",
        "»EXECUTE(a) ON QUERY b",
        "»SELECT(a) ON ALL VIEWS",
        "SELECT(»sys.ID) ON VIEW a",
        "SELECT(»sys.Foo) ON TABLE a",
        "SELECT(») ON TABLE a",
        "EXECUTE »ON EACH QUERY",
        "ALL ON »EVERYTHING",
        "ALL ON ALL »TABLE",
    ],
)
def test_an_action_that_does_not_fit_is_reported(syntax, what) -> None:
    syntax.report(f"WORKSPACE W (\n GRANT {what} TO r;\n ROLE x)")


def test_rates_and_limits(syntax) -> None:
    rate = syntax.inner("RATE r 100 PER 5 MINUTES PER APP PARTITION PER IP")
    assert (rate.count.value, rate.period.value, rate.unit) == (100, 5, TimeUnit.MINUTE)
    assert (rate.object_scope, rate.subject_scope) == ("APP PARTITION", "IP")
    rate = syntax.inner("RATE r a.B PER DAY PER SUBJECT")
    assert (rate.count.text, rate.period, rate.object_scope, rate.subject_scope) == (
        "a.B",
        None,
        "",
        "SUBJECT",
    )
    limit = syntax.inner("LIMIT l EXECUTE, SELECT ON EACH COMMAND WITH TAG t WITH RATE a.B")
    assert [word.action for word in limit.actions] == [Action.EXECUTE, Action.SELECT]
    assert (limit.target.reach, limit.target.tag.text, limit.rate.text) == (Reach.EACH, "t", "a.B")
    assert syntax.inner("LIMIT l ON ALL TABLES WITH RATE r").actions == ()
    assert syntax.inner("LIMIT l ON VIEW v WITH RATE r").target.name.text == "v"


def test_roles(syntax) -> None:
    assert syntax.one("PUBLISHED ROLE a").published
    assert not syntax.inner("ROLE a").published


def test_a_small_text_is_read_once_and_told_where_it_stands() -> None:
    first = parse_file("ROLE a b;", file="a.vsql", package="x")
    assert parse_file("ROLE a b;", file="a.vsql", package="x") is first
    (elsewhere,) = parse_file("ROLE a b;", file="b.vsql", package="y").diagnostics
    assert (elsewhere.file, elsewhere.package) == ("b.vsql", "y")
