"""Declarations of storages, and what they are held against."""

from __future__ import annotations

import pytest

from statehold_vsql import Contract, DataType, Field, Operation, Scope, StorageEngine
from statehold_vsql.appdef import QName

_CONTRACT = Contract(
    operations={Operation.GET: frozenset({Scope.COMMANDS}), Operation.READ: frozenset(Scope)},
    key=(Field("Device", DataType.TEXT, required=True), Field("Point", DataType.INT32)),
    value=(Field("Reading", DataType.FLOAT64),),
)
_CONTRACTS = {"Scada": _CONTRACT, "Ephemeral": Contract(operations={Operation.GET: frozenset(Scope)})}


def _block(storage: str, engine: str = "PYPLUGIN") -> str:
    return f"STATESTORAGE ENGINE {engine} ({storage});"


def test_a_storage_has_all_that_its_declaration_says(language) -> None:
    app = language.accepts(
        _block(
            "STORAGE Orders (GET SCOPE(COMMANDS, JOBS), UPDATE SCOPE(COMMAND))"
            " KEY (Id int64 NOT NULL, At timestamp) VALUE (Note text, Photo bytes(100))"
            ' WITH PROVIDER=Table, JSONCONFIG=`{"a": 1}`',
        )
    )
    storage = app.storages[QName("bills", "Orders")]
    assert storage.engine is StorageEngine.PYPLUGIN
    assert storage.provider == "Table"
    assert dict(storage.operations) == {
        Operation.GET: {Scope.COMMANDS, Scope.JOBS},
        Operation.UPDATE: {Scope.COMMANDS},
    }
    assert storage.key == (Field("Id", DataType.INT64, required=True), Field("At", DataType.TIMESTAMP))
    assert storage.value == (Field("Note", DataType.TEXT), Field("Photo", DataType.BYTES, max_length=100))
    assert storage.config == '{"a": 1}'


def test_a_bare_name_without_contracts_is_left_to_the_deployment(language) -> None:
    app = language.accepts(
        _block("Nowhere", "BUILTIN") + "WORKSPACE W (EXTENSION ENGINE WASM (COMMAND C STATE(Nowhere)));"
    )
    assert app.storages[QName("bills", "Nowhere")].operations is None


def test_a_bare_name_takes_the_contract_of_its_provider(language) -> None:
    app = language.accepts(_block("Scada"), contracts=_CONTRACTS)
    assert app.storages[QName("bills", "Scada")].operations == _CONTRACT.operations
    language.reports(
        _block("Scada") + "WORKSPACE W (EXTENSION ENGINE WASM (QUERY Q STATE(Scada) RETURNS any;"
        " COMMAND C INTENTS(«Scada»)));",
        "scope-intents",
        contracts=_CONTRACTS,
    )


def test_a_builtin_provider_that_there_is_not_is_reported_with_the_nearest(language) -> None:
    told = language.report(_block("«Ephemral»", "BUILTIN"), "unknown-provider", contracts=_CONTRACTS)
    assert told.endswith("did you mean `Ephemeral`?")
    language.reports(
        _block("STORAGE Own (GET SCOPE(JOBS)) WITH PROVIDER=«Tabel»", "BUILTIN"),
        "unknown-provider",
        contracts=_CONTRACTS,
    )


def test_a_plugin_that_there_is_not_may_come_with_the_image(language) -> None:
    language.accepts(
        _block("Own") + _block("Other", "GOPLUGIN") + _block("Third", "WASM"), contracts=_CONTRACTS
    )


def test_a_plugin_of_the_package_comes_before_what_is_known_by_its_name(language) -> None:
    text = _block("STORAGE Scada (INSERT SCOPE(JOBS)) KEY (Id int64)")
    with_plugin = {"example.com/bills"}
    storage = QName("bills", "Scada")
    app = language.accepts(text, contracts=_CONTRACTS, with_plugin=with_plugin)
    assert set(app.storages[storage].operations) == {Operation.INSERT}
    bare = language.accepts(_block("Scada"), contracts=_CONTRACTS, with_plugin=with_plugin)
    assert bare.storages[storage].operations is None
    language.reports(
        _block("STORAGE Ephemeral («READ» SCOPE(JOBS))", "BUILTIN"),
        "unknown-operation",
        contracts=_CONTRACTS,
        with_plugin=with_plugin,
    )
    language.reports(
        _block("STORAGE Scada («INSERT» SCOPE(JOBS))"),
        "unknown-operation",
        contracts=_CONTRACTS,
        with_plugin={"example.com/other"},
    )


def test_an_operation_that_the_provider_lacks_is_reported(language) -> None:
    told = language.report(
        _block("STORAGE Scada (GET SCOPE(JOBS), «INSERT» SCOPE(JOBS))"),
        "unknown-operation",
        contracts=_CONTRACTS,
    )
    assert "Scada has only GET, READ" in told


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("KEY (Device text NOT NULL, «Point int64»)", "expects `Point int32`"),
        ("KEY («Device text», Point int32)", "expects `Device text NOT NULL`"),
        ("KEY (Device text NOT NULL, Point int32, «Pint int32»)", "did you mean `Point`?"),
        ("VALUE («Reading float32»)", "expects `Reading float64`"),
    ],
)
def test_fields_that_the_provider_has_otherwise_are_reported(language, fields: str, expected: str) -> None:
    text = _block(f"STORAGE Scada (GET SCOPE(JOBS)) {fields}")
    assert expected in language.report(text, "schema-mismatch", contracts=_CONTRACTS)


def test_fields_that_the_declaration_lacks_are_reported_at_the_storage(language) -> None:
    text = _block("«STORAGE Scada» (GET SCOPE(JOBS)) KEY (Device text NOT NULL)")
    assert "Point int32" in language.report(text, "schema-mismatch", contracts=_CONTRACTS)


def test_the_same_fields_are_accepted_in_any_order(language) -> None:
    text = _block("STORAGE Scada (GET SCOPE(JOBS)) KEY (Point int32, Device text NOT NULL)")
    language.accepts(text, contracts=_CONTRACTS)


def test_what_is_there_twice_is_reported_with_both_positions(language) -> None:
    told = language.report(_block("A (GET SCOPE(JOBS), «GET» SCOPE(JOBS))"), "duplicate-operation")
    assert "at bills.vsql:1:34" in told
    told = language.report(_block("A (GET SCOPE(JOBS)) KEY (K int8, «K» int8)"), "duplicate-field")
    assert "at bills.vsql:1:56" in told
    told = language.report(
        _block("A (GET SCOPE(JOBS));") + _block("«STORAGE A» (GET SCOPE(JOBS))"), "duplicate-name"
    )
    assert "storage A is declared at bills.vsql:1:31" in told


def test_the_workspace_id_is_in_every_key_already(language) -> None:
    language.reports(_block("A (GET SCOPE(JOBS)) KEY («WSID» int64)"), "reserved-field")
    told = language.report(_block("A (GET SCOPE(JOBS)) VALUE («WSID» int64)"), "reserved-field")
    assert "give it another name" in told


def test_types_that_a_storage_cannot_hold_are_reported(language) -> None:
    told = language.report(_block("A (GET SCOPE(JOBS)) VALUE (V «int23»)"), "undefined-type")
    assert told.endswith("did you mean `int32`?")
    language.reports(_block("A (GET SCOPE(JOBS)) VALUE (V «blob»)"), "blob-outside-table")
    language.reports(_block("A (GET SCOPE(JOBS)) VALUE (V text(«0»))"), "field-length")


def test_the_form_of_upstream_is_for_package_sys_only(language) -> None:
    text = "EXTENSION ENGINE BUILTIN («STORAGE A» (GET SCOPE(COMMANDS)));"
    assert "STATESTORAGE ENGINE BUILTIN" in language.report(text, "storage-outside-sys")


def test_a_storage_in_the_wrong_place_makes_no_further_errors(language) -> None:
    language.reports(
        "EXTENSION ENGINE BUILTIN («STORAGE A» (GET SCOPE(COMMANDS)));"
        "WORKSPACE W (EXTENSION ENGINE WASM (QUERY Q STATE(A) RETURNS void));",
        "storage-outside-sys",
    )


def test_package_sys_may_repeat_operations_as_upstream_does(language) -> None:
    sys = "EXTENSION ENGINE BUILTIN (STORAGE A (GET SCOPE(COMMANDS), GET SCOPE(JOBS, JOBS)));"
    app = language.accepts("", sys=sys)
    assert app.storages[QName("sys", "A")].operations == {Operation.GET: {Scope.COMMANDS, Scope.JOBS}}


def test_a_comment_before_a_bare_name_is_the_storages(language) -> None:
    app = language.accepts(
        _block("\n-- The first.\nA;\n\n/* The second. */\nB (GET SCOPE(JOBS))\n-- The third.\nSTORAGE C, D")
    )
    comments = {name.name: storage.comment for name, storage in app.storages.items() if name.package != "sys"}
    assert comments == {"A": "The first.", "B": "The second.", "C": "The third.", "D": ""}


@pytest.mark.parametrize(
    "items",
    [
        "PROVIDER=A, «PROVIDER=»B",
        "JSONCONFIG=`{}`, PROVIDER=A, «JSONCONFIG=»`{}`",
    ],
)
def test_an_item_of_with_that_is_given_twice_is_reported(language, items) -> None:
    assert "already" in language.report(_block(f"A (GET SCOPE(JOBS)) WITH {items}"), "duplicate-clause")


def test_a_length_that_cannot_be_is_reported_with_what_helps(language) -> None:
    assert "leave the length out for no limit" in language.report(
        _block("A (GET SCOPE(JOBS)) KEY (a text(«0»))"), "field-length"
    )
