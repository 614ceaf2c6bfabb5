"""Each row changes one thing of an app, and says what the comparison makes of it: `code`, or `code!whom`."""

from __future__ import annotations

import pytest

from statehold_vsql import Contract, Operation, Scope
from statehold_vsql.appdef import QName
from statehold_vsql.evolution import Broken, Change, compare

APP = """
PARAMETER Url text(100) DEFAULT 'x';
PARAMETER Size int32 DEFAULT 1;
PARAMETER Needed int32;
SECRET Word text;
DECLARE Often int32 DEFAULT 5;
STATESTORAGE ENGINE PYPLUGIN (
  STORAGE Box (
    GET SCOPE(COMMANDS, QUERIES),
    INSERT SCOPE(COMMANDS)
  )
  KEY (Room text NOT NULL, Shelf int32)
  VALUE (Weight int32, Label text(20) NOT NULL, At int64)
  WITH JSONCONFIG=`{"Url": "$Url"}`;
);
ABSTRACT WORKSPACE BaseWS (
  TABLE Shared INHERITS sys.CDoc (Name text);
);
WORKSPACE ShopWS INHERITS BaseWS (
  DESCRIPTOR ShopDescriptor (City text);
  USE WORKSPACE StallWS;
  TABLE Settings INHERITS sys.CSingleton (Mail text);
  TABLE Item INHERITS sys.WDoc (
    Code text(20) NOT NULL CHECK '^[a-z]+$',
    Count int32,
    Price money NOT NULL DEFAULT 0,
    Of ref(Shared),
    Phone text VERIFIABLE,
    Parts TABLE Part INHERITS sys.WRecord (Name text),
    UNIQUE (Code)
  );
  VIEW Stock (
    Year int32 NOT NULL, Day int32 NOT NULL, Count int32 NOT NULL, Note text,
    PRIMARY KEY ((Year), Day)
  ) AS RESULT OF CountStock;
  TYPE Deep (Inner text);
  TYPE Order (Item ref(Item) NOT NULL, Count int32 NOT NULL, Note text, More Deep);
  TYPE Bill (Total money NOT NULL, Count int32, Small int32);
  TYPE Unseen (A int32);
  EXTENSION ENGINE PYTHON (
    COMMAND Buy(Order) RETURNS Bill;
    COMMAND Wipe;
    QUERY Find(Order) RETURNS Bill;
    QUERY Any(any) RETURNS any;
    PROJECTOR CountStock AFTER INSERT ON Item INTENTS(sys.View(Stock, Pages));
  );
  TAG Cheap;
  TAG Open;
  TAG Busy;
  TAG Idle;
  TYPE Tagged (A int32);
  VIEW Pages (A int32 NOT NULL, B int32 NOT NULL, PRIMARY KEY ((A), B))
    AS RESULT OF CountStock WITH Tags=(Open);
  TABLE Card INHERITS sys.WDoc (A int32) WITH Tags=(Idle);
  RATE Some 10 PER HOUR PER WORKSPACE;
  RATE Nobody 1 PER DAY;
  LIMIT OfBuy EXECUTE ON COMMAND Buy WITH RATE Some;
  LIMIT OfCard INSERT, UPDATE ON EACH TABLE WITH TAG Busy WITH RATE Some;
  PUBLISHED ROLE Seller;
  ROLE Helper;
  GRANT SELECT, INSERT ON TABLE Item TO Seller;
  GRANT SELECT(Name) ON TABLE Shared TO Helper;
  GRANT EXECUTE ON COMMAND Buy TO Helper;
  GRANT SELECT ON ALL VIEWS WITH TAG Open TO Helper;
  GRANT Helper TO Seller;
);
WORKSPACE StallWS (
  DESCRIPTOR StallDescriptor ();
);
ALTER WORKSPACE sys.AppWorkspaceWS (
  EXTENSION ENGINE PYTHON (JOB Tidy '@daily'; JOB Sweep '@daily';);
);
"""

CHANGES = [
    # Storages: who may use which operation
    (
        "    INSERT SCOPE(COMMANDS)\n",
        "    INSERT SCOPE(COMMANDS),\n    READ SCOPE(QUERIES)\n",
        ["operation-added"],
    ),
    (",\n    INSERT SCOPE(COMMANDS)", "", ["operation-removed!packages"]),
    ("GET SCOPE(COMMANDS, QUERIES)", "GET SCOPE(QUERIES)", ["scope-removed!packages"]),
    ("GET SCOPE(COMMANDS, QUERIES)", "GET SCOPE(COMMANDS, QUERIES, JOBS)", ["scope-added"]),
    (
        "GET SCOPE(COMMANDS, QUERIES)",
        "GET SCOPE(COMMANDS, JOBS)",
        ["scope-removed!packages", "scope-added"],
    ),
    ("STORAGE Box (", "STORAGE Crate (", ["storage-removed!data", "storage-added"]),
    ("ENGINE PYPLUGIN", "ENGINE GOPLUGIN", ["storage-engine!data"]),
    ("WITH JSONCONFIG", "WITH PROVIDER=Chest, JSONCONFIG", ["storage-provider!data"]),
    ('"Url": "$Url"', '"Uri": "$Url"', ["storage-config"]),
    # Storages: what they hold
    ("Room text NOT NULL, ", "", ["field-removed!data"]),
    ("Shelf int32)", "Shelf int32, Side text)", ["field-added"]),
    ("Shelf int32)", "Shelf int32, Side text NOT NULL)", ["field-added!data"]),
    ("Shelf int32)", "Shelf int32 NOT NULL)", ["field-required!data"]),
    ("Shelf int32)", "Shelf int64)", ["field-type!data"]),
    ("Room text NOT NULL", "Room text", ["field-optional"]),
    ("Room text NOT NULL, Shelf int32", "Shelf int32, Room text NOT NULL", ["key-order!data"]),
    (", At int64)", ")", ["field-removed!data"]),
    ("At int64)", "At int64, By text)", ["field-added"]),
    ("At int64)", "At int64, By text NOT NULL)", ["field-added!data"]),
    ("At int64)", "At text)", ["field-type!data"]),
    ("At int64)", "At int64 NOT NULL)", ["field-required!data"]),
    ("At int64)", "At int32)", ["field-type!data"]),
    ("Weight int32", "Weight int64", ["field-type"]),
    ("Label text(20)", "Label text(10)", ["field-length!data"]),
    ("Label text(20)", "Label text(30)", ["field-length"]),
    ("Label text(20) NOT NULL", "Label text(20)", ["field-optional"]),
    # Workspaces
    ("  USE WORKSPACE StallWS;\n", "", ["workspace-use!clients"]),
    ("DESCRIPTOR StallDescriptor ();", "", ["workspace-descriptor!data", "table-removed!data"]),
    # Tables
    ("TABLE Settings INHERITS sys.CSingleton (Mail text);", "", ["table-removed!data"]),
    ("TABLE Settings INHERITS sys.CSingleton", "TABLE Settings INHERITS sys.CDoc", ["table-singleton!data"]),
    ("Settings INHERITS sys.CSingleton", "Settings INHERITS sys.WSingleton", ["table-kind!data"]),
    ("    Count int32,\n    Price", "    Price", ["field-removed!data"]),
    ("    Count int32,\n    Price", "    Count int64,\n    Price", ["field-type"]),
    ("    Count int32,\n    Price", "    Count text,\n    Price", ["field-type!data"]),
    ("    Count int32,\n    Price", "    Count int32 NOT NULL,\n    Price", ["field-required!clients"]),
    ("    Count int32,\n    Price", "    Count int32,\n    New text,\n    Price", ["field-added"]),
    (
        "    Count int32,\n    Price",
        "    Count int32,\n    New text NOT NULL,\n    Price",
        ["field-added!clients"],
    ),
    (
        "    Count int32,\n    Price",
        "    Count int32,\n    New int32 NOT NULL DEFAULT 1,\n    Price",
        ["field-added"],
    ),
    ("Price money NOT NULL DEFAULT 0", "Price money NOT NULL DEFAULT 1", ["field-default"]),
    ("Price money NOT NULL DEFAULT 0", "Price money DEFAULT 0", ["field-optional"]),
    ("Code text(20)", "Code text(10)", ["field-length!clients"]),
    ("CHECK '^[a-z]+$'", "CHECK '^[A-Z]+$'", ["field-check!clients"]),
    (" CHECK '^[a-z]+$'", "", ["field-check"]),
    ("ref(Shared)", "ref", ["field-references"]),
    ("ref(Shared)", "ref(Shared, Settings)", ["field-references"]),
    ("ref(Shared)", "ref(Settings)", ["field-references!clients"]),
    ("Phone text VERIFIABLE", "Phone text", ["field-verifiable"]),
    ("Count int32,\n    Price", "Count int32 VERIFIABLE,\n    Price", ["field-verifiable!clients"]),
    (
        "Parts TABLE Part INHERITS sys.WRecord (Name text),",
        "",
        ["container-removed!data", "table-removed!data"],
    ),
    ("UNIQUE (Code)", "UNIQUE (Code), UNIQUE (Phone)", ["unique-added!clients"]),
    (",\n    UNIQUE (Code)", "", ["unique-removed"]),
    ("UNIQUE (Code)", "UNIQUE (Code, Phone)", ["unique-added!clients", "unique-removed"]),
    # Views
    ("Day int32 NOT NULL,", "Day int64 NOT NULL,", ["view-key!data"]),
    (", Note text,\n    PRIMARY", ",\n    PRIMARY", ["field-removed!data"]),
    ("Note text,\n    PRIMARY", "Note text, New int32,\n    PRIMARY", ["field-added"]),
    ("Note text,\n    PRIMARY", "Note text, New int32 NOT NULL,\n    PRIMARY", ["field-added!data"]),
    # Commands, queries and what they take and return
    ("    COMMAND Wipe;\n", "", ["command-removed!clients"]),
    ("COMMAND Wipe;", "QUERY Wipe RETURNS void;", ["command-removed!clients", "query-added"]),
    ("COMMAND Wipe;", "COMMAND Wipe(Order);", ["parameter-added!clients"]),
    ("COMMAND Wipe;", "COMMAND Wipe(Deep);", ["parameter-added"]),
    ("COMMAND Wipe;", "COMMAND Wipe RETURNS Bill;", ["result-added"]),
    ("Buy(Order) RETURNS Bill", "Buy(Order)", ["result-removed!clients"]),
    ("Buy(Order) RETURNS Bill", "Buy RETURNS Bill", ["parameter-removed!clients"]),
    ("Buy(Order) RETURNS Bill", "Buy(any) RETURNS Bill", ["parameter-type"]),
    ("Buy(Order) RETURNS Bill", "Buy(Order) RETURNS any", ["result-type!clients"]),
    ("Any(any) RETURNS any", "Any(Order) RETURNS any", ["parameter-type!clients"]),
    ("Any(any) RETURNS any", "Any(any) RETURNS Bill", ["result-type"]),
    ("Count int32 NOT NULL, Note text, More", "Count int64 NOT NULL, Note text, More", ["field-type"]),
    ("Count int32 NOT NULL, Note text, More", "Count int32, Note text, More", ["field-optional"]),
    ("Note text, More", "Note text NOT NULL, More", ["field-required!clients"]),
    ("Note text, More", "Note text, New text NOT NULL, More", ["field-added!clients"]),
    ("Note text, More", "More", ["field-removed!clients"]),
    ("More Deep", "More Deep NOT NULL", ["field-required!clients"]),
    (", More Deep", "", ["container-removed!clients"]),
    ("Inner text", "Inner text NOT NULL", ["field-required!clients"]),
    ("Total money NOT NULL", "Total money", ["field-optional!clients"]),
    ("Small int32)", "Small int32 NOT NULL)", ["field-required"]),
    ("Small int32)", "Small int32, New int32 NOT NULL)", ["field-added"]),
    (", Small int32)", ")", ["field-removed!clients"]),
    ("Unseen (A int32)", "Unseen (B text NOT NULL)", []),
    ("JOB Tidy '@daily'; ", "", []),
    ("AFTER INSERT ON Item", "AFTER INSERT OR UPDATE ON Item", []),
    # What the operator sets
    ("PARAMETER Size int32 DEFAULT 1;", "", ["parameter-removed!operator"]),
    ("PARAMETER Size int32 DEFAULT 1;", "PARAMETER Size int32;", ["parameter-default!operator"]),
    ("PARAMETER Size int32 DEFAULT 1;", "PARAMETER Size int32 DEFAULT 2;", ["parameter-default"]),
    ("PARAMETER Size int32 DEFAULT 1;", "PARAMETER Size int64 DEFAULT 1;", ["parameter-type"]),
    ("PARAMETER Size int32 DEFAULT 1;", "PARAMETER Size int8 DEFAULT 1;", ["parameter-type!operator"]),
    (
        "PARAMETER Needed int32;",
        "PARAMETER Needed int32; PARAMETER More int32;",
        ["parameter-added!operator"],
    ),
    (
        "PARAMETER Needed int32;",
        "PARAMETER Needed int32; PARAMETER More int32 DEFAULT 1;",
        ["parameter-added"],
    ),
    ("SECRET Word text;", "SECRET Word text; SECRET Other text;", ["secret-added!operator"]),
    ("SECRET Word text;", "PARAMETER Word text;", ["parameter-kind!operator"]),
    ("Often int32 DEFAULT 5", "Often int32 DEFAULT 6", ["parameter-default"]),
    ("DECLARE Often int32 DEFAULT 5;", "", ["variable-removed!operator"]),
    # Roles and what is granted to them
    ("PUBLISHED ROLE Seller", "ROLE Seller", ["role-published!clients"]),
    ("ROLE Helper;", "PUBLISHED ROLE Helper;", ["role-published"]),
    ("SELECT, INSERT ON TABLE Item", "SELECT ON TABLE Item", ["grant-removed!clients"]),
    ("SELECT, INSERT ON TABLE Item", "SELECT(Code), INSERT ON TABLE Item", ["grant-removed!clients"]),
    ("SELECT(Name) ON TABLE Shared", "SELECT ON TABLE Shared", []),
    ("SELECT(Name) ON TABLE Shared", "SELECT ON ALL TABLES", ["grant-removed!clients"]),
    ("SELECT, INSERT ON TABLE Item", "SELECT, INSERT ON ALL TABLES", []),
    ("  GRANT Helper TO Seller;\n", "", ["grant-removed!clients"]),
    (
        "GRANT Helper TO Seller;",
        "GRANT Helper TO Seller; REVOKE INSERT ON TABLE Item FROM Seller;",
        ["grant-revoked!clients"],
    ),
    ("SELECT ON ALL VIEWS WITH TAG Open", "SELECT ON ALL VIEWS", []),
    ("ON ALL VIEWS WITH TAG Open", "ON ALL VIEWS WITH TAG Cheap", ["grant-removed!clients"]),
    # How often clients may do something
    ("  LIMIT OfBuy EXECUTE ON COMMAND Buy WITH RATE Some;\n", "", ["limit-removed"]),
    (
        "  LIMIT OfBuy",
        "  LIMIT OfWipe EXECUTE ON COMMAND Wipe WITH RATE Some;\n  LIMIT OfBuy",
        ["limit-added!clients"],
    ),
    ("10 PER HOUR PER WORKSPACE", "20 PER HOUR PER WORKSPACE", ["limit-rate", "limit-rate"]),
    ("10 PER HOUR PER WORKSPACE", "9 PER HOUR PER WORKSPACE", ["limit-rate!clients", "limit-rate!clients"]),
    ("10 PER HOUR PER WORKSPACE", "10 PER DAY PER WORKSPACE", ["limit-rate!clients", "limit-rate!clients"]),
    ("10 PER HOUR PER WORKSPACE", "10 PER MINUTE PER WORKSPACE", ["limit-rate", "limit-rate"]),
    ("10 PER HOUR PER WORKSPACE", "1 PER MINUTE PER WORKSPACE", ["limit-rate!clients", "limit-rate!clients"]),
    ("10 PER HOUR PER WORKSPACE", "10 PER HOUR", ["limit-rate!clients", "limit-rate!clients"]),
    ("10 PER HOUR PER WORKSPACE", "10 PER HOUR PER WORKSPACE PER IP", ["limit-rate", "limit-rate"]),
    ("10 PER HOUR PER WORKSPACE", "10 PER HOUR PER IP", ["limit-rate!clients", "limit-rate!clients"]),
    ("RATE Nobody 1 PER DAY", "RATE Nobody 1 PER YEAR", []),
    ("COMMAND Buy WITH RATE Some", "COMMAND Buy WITH RATE Nobody", ["limit-rate!clients"]),
    ("OfBuy EXECUTE ON COMMAND Buy", "OfBuy EXECUTE ON COMMAND Wipe", ["limit-target!clients"]),
    ("OfBuy EXECUTE ON COMMAND Buy", "OfBuy EXECUTE ON ALL COMMANDS", ["limit-target!clients"]),
    ("INSERT, UPDATE ON EACH TABLE", "INSERT ON EACH TABLE", ["limit-operations"]),
    ("INSERT, UPDATE ON EACH TABLE", "INSERT, UPDATE, SELECT ON EACH TABLE", ["limit-operations!clients"]),
    ("ON EACH TABLE WITH TAG Busy", "ON ALL TABLES WITH TAG Busy", ["limit-each!clients"]),
    ("ON EACH TABLE WITH TAG Busy", "ON EACH TABLE WITH TAG Idle", ["limit-target!clients"]),
    # Tags, by which something is granted or limited
    ("  TAG Cheap;\n", "", ["tag-removed"]),
    ("  TAG Cheap;\n", "  TAG Cheap; TAG Dear;\n", ["tag-added"]),
    ("CountStock WITH Tags=(Open)", "CountStock", ["tag-lost!clients"]),
    ("CountStock WITH Tags=(Open)", "CountStock WITH Tags=(Open, Cheap)", ["tag-given"]),
    ("(A int32) WITH Tags=(Idle)", "(A int32)", ["tag-lost"]),
    ("(A int32) WITH Tags=(Idle)", "(A int32) WITH Tags=(Idle, Busy)", ["tag-given!clients"]),
]


@pytest.fixture
def before(language):
    return language.accepts(APP)


def _said(changes: tuple[Change, ...]) -> list[str]:
    return [f"{change.code}!{change.breaks}" if change.breaks else change.code for change in changes]


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES)
def test_a_change_is_what_the_table_says(language, before, old, new, expected) -> None:
    assert APP.count(old) == 1
    after = language.compile(APP.replace(old, new)).appdef
    assert after is not None, language.compile(APP.replace(old, new)).diagnostics
    found = compare(before, after)
    assert _said(found) == expected, "\n".join(map(str, found))


def test_an_app_has_not_changed_against_itself(language, before) -> None:
    assert compare(before, language.accepts(APP)) == ()


def test_where_and_order_and_comments_change_nothing(language, before) -> None:
    moved = APP.replace("\nABSTRACT WORKSPACE", "\n\n-- Elsewhere\n\nABSTRACT WORKSPACE")
    assert compare(before, language.accepts(moved)) == ()


def test_whoever_leaves_a_workspace_loses_what_it_declares(language, before) -> None:
    text = APP.replace("WORKSPACE ShopWS INHERITS BaseWS", "WORKSPACE ShopWS").replace("ref(Shared)", "ref")
    after = language.compile(text.replace("  GRANT SELECT(Name) ON TABLE Shared TO Helper;\n", "")).appdef
    lost = next(change for change in compare(before, after) if change.code == "workspace-lost")
    assert (lost.subject, lost.breaks) == ("table bills.Shared", Broken.DATA)
    assert "bills.ShopWS" in lost.message


def test_what_moves_to_an_inherited_workspace_is_still_there(language, before) -> None:
    settings = "TABLE Settings INHERITS sys.CSingleton (Mail text);"
    text = APP.replace(f"  {settings}\n", "").replace("(Name text);\n", f"(Name text);\n  {settings}\n", 1)
    assert compare(before, language.accepts(text)) == ()


def test_a_workspace_that_is_gone_loses_what_is_in_it(language, before) -> None:
    stall = "WORKSPACE StallWS (\n  DESCRIPTOR StallDescriptor ();\n);\n"
    after = language.accepts(APP.replace(stall, "").replace("  USE WORKSPACE StallWS;\n", ""))
    assert _said(compare(before, after)) == ["workspace-removed!data", "table-removed!data"]


def test_the_other_key_of_a_view_loses_its_rows(language, before) -> None:
    after = language.accepts(APP.replace("PRIMARY KEY ((Year), Day)", "PRIMARY KEY ((Year, Day), Count)"))
    found = compare(before, after)
    assert _said(found)[:2] == ["view-key!data", "view-key!data"]


def test_a_limit_of_what_is_new_itself_breaks_nobody(language, before) -> None:
    text = APP.replace("    COMMAND Wipe;\n", "    COMMAND Wipe;\n    COMMAND New;\n")
    text = text.replace(
        "  LIMIT OfBuy", "  LIMIT OfNew EXECUTE ON COMMAND New WITH RATE Some;\n  LIMIT OfBuy"
    )
    assert _said(compare(before, language.accepts(text))) == ["command-added", "limit-added"]


def test_what_gets_a_tag_that_is_revoked_breaks_clients(language) -> None:
    grant = "GRANT Helper TO Seller;"
    revoked = APP.replace(grant, f"{grant} REVOKE SELECT ON ALL TABLES WITH TAG Cheap FROM Seller;")
    tagged = revoked.replace("Tags=(Idle)", "Tags=(Idle, Cheap)")
    assert _said(compare(language.accepts(revoked), language.accepts(tagged))) == ["tag-given!clients"]


def test_a_limit_says_how_often_it_was_and_is(language, before) -> None:
    text = APP.replace("10 PER HOUR PER WORKSPACE", "9 PER 2 HOURS PER WORKSPACE PER IP")
    change, _ = compare(before, language.accepts(text))
    assert change.subject == "limit bills.OfBuy"
    assert change.message == "is 9 per 2 HOUR per WORKSPACE and IP, and was 10 per HOUR per WORKSPACE"


def test_a_change_says_where_it_is_in_both_versions(language, before) -> None:
    after = language.accepts("\n" + APP.replace("At int64)", "At text)"))
    (change,) = compare(before, after)
    assert change.subject == "storage bills.Box"
    assert change.message == "value field At is text, and was int64"
    assert change.old is not None
    assert change.new is not None
    assert change.new.line == change.old.line + 1
    assert str(change).endswith(
        "breaks data[field-type]: storage bills.Box: value field At is text, and was int64"
    )


BARE = "STATESTORAGE ENGINE PYPLUGIN (Box);"
LISTED = (
    "STATESTORAGE ENGINE PYPLUGIN (STORAGE Box (GET SCOPE(QUERIES)) KEY (A text NOT NULL) VALUE (B int32););"
)
OFFER = Contract(operations={Operation.GET: frozenset({Scope.QUERIES})})
BOX = QName("bills", "Box")


def test_what_a_declaration_leaves_to_its_provider_is_compared_by_what_that_offers(language) -> None:
    bare = language.compile(BARE).appdef
    more = Contract(
        operations={Operation.GET: frozenset({Scope.QUERIES, Scope.JOBS}), Operation.READ: frozenset()}
    )
    assert _said(compare(bare, bare, old_offers={BOX: OFFER}, new_offers={BOX: more})) == [
        "scope-added",
        "operation-added",
    ]
    assert _said(compare(bare, bare, old_offers={BOX: more}, new_offers={BOX: OFFER})) == [
        "scope-removed!packages",
        "operation-removed!packages",
    ]


def test_what_is_known_of_one_version_only_is_breaking(language) -> None:
    bare, listed = language.compile(BARE).appdef, language.compile(LISTED).appdef
    expected = ["storage-operations!packages", "storage-key!data", "storage-value!data"]
    assert _said(compare(bare, listed)) == _said(compare(listed, bare)) == expected
    assert compare(bare, bare) == ()
