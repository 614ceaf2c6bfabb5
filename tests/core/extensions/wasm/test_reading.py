from __future__ import annotations

import msgspec
import pytest

from statehold.extensions import CodeError
from statehold.sdk import SchemaError, ScopeError
from statehold.state import NotExistsError

GET = "(local.set $v (call $hostGetValue (local.get $k)))"


class Line(msgspec.Struct):
    """Not a value: a storage may not return such a thing."""


@pytest.fixture
def reads(stage, wat):
    """Return what a guest reads of a row of Things as the kind that is asked for."""

    def reads(kind, field, **value):
        stage.put("t.Things", None, {"Id": 1}, **value)
        guest = wat()
        code = (
            guest.key("t.Things", Id=1)
            + GET
            + _keep(kind, f"(call $hostValueAs{kind} (local.get $v) {{{field}}})")
        )
        [(_, intent)] = stage.does(code, guest)
        return intent.value[_KEPT[kind]]

    return reads


_KEPT = {
    "String": "Text",
    "Bytes": "Data",
    "Bool": "Big",
    "Int32": "Number",
    "Int64": "Big",
    "Float32": "Single",
    "Float64": "Double",
    "QNamePkg": "Text",
    "QNameEntity": "Text",
}


def _keep(kind, read, *, fresh=True):
    """Return code that puts what is read into a new row."""
    field = _KEPT[kind]
    start = "(local.set $i (call $hostNewValue (local.get $k)))" if fresh else ""
    put = f"(local.get $i) (i32.const 1) {{{field}}}"
    if field in ("Text", "Data"):
        word = "String" if field == "Text" else "Bytes"
        return (
            f"{start} (local.set $p {read}) (call $hostRowWriterPut{word} {put} "
            "(i32.wrap_i64 (i64.shr_u (local.get $p) (i64.const 32))) (i32.wrap_i64 (local.get $p)))"
        )
    word = {"Big": "Int64", "Number": "Int32", "Single": "Float32", "Double": "Float64"}[field]
    return f"{start} (call $hostRowWriterPut{word} {put} {read})"


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("String", "Text", "Ünï"),
        ("Bytes", "Data", b"\0\xff"),
        ("Bool", "Flag", True),
        ("Int32", "Number", -(2**31)),
        ("Int32", "Small", -2),
        ("Int32", "Big", 12),
        ("Int64", "Big", -(2**63)),
        ("Int64", "Number", -3),
        ("Int64", "Ref", 200001),
        ("Float32", "Single", 1.5),
        ("Float64", "Double", 1e300),
        ("Float64", "Single", 0.5),
        ("Float64", "Big", 3),
    ],
)
def test_a_field_is_read_as_what_it_is(reads, kind, field, value):
    assert reads(kind, field, **{field: value}) == value


@pytest.mark.parametrize(("kind", "field"), [("String", "Text"), ("Bytes", "Data"), ("QNamePkg", "Name")])
def test_a_text_that_is_not_set_is_empty(reads, kind, field):
    assert len(reads(kind, field)) == 0


@pytest.mark.parametrize(("kind", "field"), [("Int64", "Big"), ("Bool", "Flag"), ("Float64", "Double")])
def test_a_number_that_is_not_set_is_zero(reads, kind, field):
    assert reads(kind, field) == 0


def test_a_qualified_name_has_the_path_of_its_package(reads):
    assert reads("QNamePkg", "Name", Name="t.Seen") == "acme.example/t"


def test_a_qualified_name_has_its_entity(reads):
    assert reads("QNameEntity", "Name", Name="t.Seen") == "Seen"


def test_a_qualified_name_of_a_package_that_the_app_does_not_have_stays_as_it_is(reads):
    assert reads("QNamePkg", "Name", Name="gone.Seen") == "gone"


def test_bytes_are_read_as_a_text_as_they_are(reads):
    assert reads("String", "Data", Data="Ü".encode()) == "Ü"


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("Int32", "Big", 2**31),
        ("Int64", "Text", "5"),
        ("Int64", "Flag", True),
        ("Int64", "Double", 5.0),
        ("String", "Number", 5),
        ("Bool", "Number", 1),
        ("Float32", "Double", 1e300),
        ("Float64", "Text", "1"),
        ("QNamePkg", "Number", 1),
    ],
)
def test_a_field_that_is_read_as_something_else_is_an_error_that_names_it(reads, kind, field, value):
    with pytest.raises(SchemaError, match=f"t.Things: {field} is a") as caught:
        reads(kind, field, **{field: value})
    assert caught.value.field == field


def test_an_error_of_reading_does_not_show_the_value(reads):
    with pytest.raises(SchemaError) as caught:
        reads("Int64", "Text", Text="hidden")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("field", ["Nope", "__class__", "__struct_fields__", ""])
def test_a_field_that_there_is_not_is_an_error_that_names_those_there_are(reads, field):
    with pytest.raises(SchemaError, match="It has: Small, Number"):
        reads("Int64", field)


def test_a_row_that_is_not_there_is_absent(stage, wat):
    guest = wat()
    code = guest.key("t.Things", Id=1) + _keep("Bool", "(call $hostQueryValue (local.get $k))")
    [(_, intent)] = stage.does(code, guest)
    assert intent.value.Big == -1


def test_a_row_that_must_be_there_and_is_not_is_the_error_of_the_state(stage, wat):
    guest = wat()
    with pytest.raises(NotExistsError, match=r"COMMAND t\.Do.*Id=1.*does not exist") as caught:
        stage.does(guest.key("t.Things", Id=1) + GET, guest)
    assert caught.value.storage == "t.Things"


def test_an_operation_that_is_not_declared_is_the_error_of_the_declaration(stage, wat):
    guest = wat()
    with pytest.raises(ScopeError, match=r"t\.Do may not GET t\.Closed"):
        stage.does(guest.key("t.Closed", Id=1) + GET, guest)


ARGUMENT = "(local.set $v (call $hostValueAsValue (local.get $v) {ArgumentObject}))"


@pytest.fixture
def reads_argument(stage, wat):
    """Return what a guest reads of the argument of its command, which is put as it is."""

    def reads(argument, kind, *path):
        stage.put("sys.CommandContext", None, {}, ArgumentObject=argument, sys_ID=77)
        guest = wat()
        steps = [
            f"(local.set $v (call $hostValueGetAsValue (local.get $v) (i32.const {step})))"
            if isinstance(step, int)
            else f"(local.set $v (call $hostValueAsValue (local.get $v) {{{step}}}))"
            for step in path[:-1]
        ]
        last = (
            f"(call $hostValueGetAs{kind} (local.get $v) (i32.const {path[-1]}))"
            if isinstance(path[-1], int)
            else f"(call $hostValueAs{kind} (local.get $v) {{{path[-1]}}})"
        )
        code = guest.key("sys.CommandContext") + GET + ARGUMENT + "".join(steps)
        code += guest.key("t.Things", Id=1) + _keep(kind, last)
        [(_, intent)] = stage.does(code, guest)
        return intent.value[_KEPT[kind]]

    return reads


def test_values_are_read_inside_of_values_by_name_and_by_index(reads_argument):
    argument = {"Lines": [{"Dish": "soup"}, {"Dish": "fish"}]}
    assert reads_argument(argument, "String", "Lines", 1, "Dish") == "fish"


def test_fields_of_the_system_have_their_dot(reads_argument):
    assert reads_argument({"Head": {"sys.ID": 5}}, "Int64", "Head", "sys.ID") == 5


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("String", "a"),
        ("Int32", 5),
        ("Int64", 2**40),
        ("Float64", 2.5),
        ("Bool", True),
        ("Float32", 0.5),
        ("Bytes", b"\0\xff"),
    ],
)
def test_elements_of_a_list_are_read_as_what_they_are(reads_argument, kind, value):
    assert reads_argument({"List": [None, value]}, kind, "List", 1) == value


@pytest.mark.parametrize(("kind", "part"), [("QNamePkg", "acme.example/t"), ("QNameEntity", "E")])
def test_a_name_in_a_list_is_read_in_its_two_parts(reads_argument, kind, part):
    assert reads_argument({"List": [None, "t.E"]}, kind, "List", 1) == part


def test_an_element_behind_the_end_is_an_error(reads_argument):
    with pytest.raises(SchemaError, match="element 2 was asked for of a list of 2"):
        reads_argument({"List": [1, 2]}, "Int64", "List", 2)


def test_an_element_of_what_is_no_list_is_an_error(reads_argument):
    with pytest.raises(SchemaError, match="not a list"):
        reads_argument({"Head": {"a": 1}}, "Int64", "Head", 0)


def test_a_field_of_a_list_is_an_error(reads_argument):
    with pytest.raises(SchemaError, match="by their index"):
        reads_argument({"List": [1]}, "Int64", "List", "Name")


@pytest.mark.parametrize("value", [5, "text", None])
def test_what_has_nothing_in_it_is_no_value_of_its_own(reads_argument, value):
    with pytest.raises(SchemaError, match=r"Head is .* was read as a value with fields"):
        reads_argument({"Head": value}, "Int64", "Head", "x")


def test_a_list_tells_its_length(stage, wat):
    stage.put("sys.CommandContext", None, {}, ArgumentObject={"List": [1, 2, 3]})
    guest = wat()
    code = guest.key("sys.CommandContext") + GET + ARGUMENT
    code += "(local.set $v (call $hostValueAsValue (local.get $v) {List}))" + guest.key("t.Things", Id=1)
    [(_, intent)] = stage.does(code + _keep("Int32", "(call $hostValueLength (local.get $v))"), guest)
    assert intent.value.Number == 3


def test_what_is_no_list_has_no_length(stage, wat):
    stage.put("sys.CommandContext", None, {}, ArgumentObject={})
    guest = wat()
    code = guest.key("sys.CommandContext") + GET + ARGUMENT + "(drop (call $hostValueLength (local.get $v)))"
    with pytest.raises(SchemaError, match="length"):
        stage.does(code, guest)


def test_a_field_of_the_system_is_read_of_a_row(stage, wat):
    stage.put("sys.CommandContext", None, {}, sys_ID=77)
    guest = wat()
    code = guest.key("sys.CommandContext") + GET + guest.key("t.Things", Id=1)
    [(_, intent)] = stage.does(
        code + _keep("Int64", "(call $hostValueAsInt64 (local.get $v) {sys.ID})"), guest
    )
    assert intent.value.Big == 77


@pytest.fixture
def reader(stage, wat):
    """Return a guest that runs *code* for each row of a READ, whose key it has as $key."""
    for number in (1, 2, 3):
        stage.put("t.Things", None, {"Id": number, "Part": f"p{number}"}, Text=f"t{number}")

    def reader(code, storage="t.Things"):
        guest = wat()
        guest.replace("WasmOnReadValue", "")
        guest.add("Do", guest.key(storage) + "(call $hostReadValues (local.get $k))")
        at = len(guest.parts)
        guest.add("row", code(guest))
        body = guest.parts.pop(at).replace('(func (export "row") ', "", 1)
        body = body.replace("(local $v i64) ", "", 1)
        guest.replace(
            "WasmOnReadValue", f'(func (export "WasmOnReadValue") (param $key i64) (param $v i64) {body}'
        )
        return guest

    return reader


def _copy(kind, read):
    return lambda guest: guest.key("t.Things", Id=9) + _keep(kind, read)


KINDS = {"Flag": True, "Number": -7, "Single": 0.5, "Double": 1e300, "Data": b"\0\xff", "Name": "t.E"}


@pytest.mark.parametrize(
    ("kind", "field", "expected"),
    [
        ("Bool", "Flag", 1),
        ("Int32", "Number", -7),
        ("Float32", "Single", 0.5),
        ("Float64", "Double", 1e300),
        ("Bytes", "Data", b"\0\xff"),
        ("QNamePkg", "Name", "acme.example/t"),
        ("QNameEntity", "Name", "E"),
    ],
)
def test_a_field_of_the_key_of_a_row_is_read_as_what_it_is(stage, reader, kind, field, expected):
    stage.put("t.Kinds", None, KINDS, Text="x")
    guest = reader(_copy(kind, f"(call $hostKeyAs{kind} (local.get $key) {{{field}}})"), storage="t.Kinds")
    [(_, intent)] = stage.run(stage.load(guest)).intents()
    assert intent.value[_KEPT[kind]] == expected


@pytest.mark.parametrize(
    ("kind", "read", "expected"),
    [
        ("Int64", "(call $hostKeyAsInt64 (local.get $key) {Id})", [1, 2, 3]),
        ("Int64", "(call $hostKeyAsInt64 (local.get $key) {WSID})", [7, 7, 7]),
        ("String", "(call $hostKeyAsString (local.get $key) {Part})", ["p1", "p2", "p3"]),
        ("String", "(call $hostValueAsString (local.get $v) {Text})", ["t1", "t2", "t3"]),
    ],
)
def test_each_row_of_a_read_is_handed_to_the_guest(stage, reader, kind, read, expected):
    state = stage.run(stage.load(reader(_copy(kind, read))))
    assert [intent.value[_KEPT[kind]] for _, intent in state.intents()] == expected


def test_the_rows_of_a_read_come_under_the_same_two_handles(stage, reader):
    state = stage.run(stage.load(reader(_copy("Int64", "(i64.add (local.get $key) (local.get $v))"))))
    assert len({intent.value.Big for _, intent in state.intents()}) == 1


def test_a_read_inside_of_a_read_has_rows_of_its_own(stage, reader):
    guest = reader(_copy("Int64", "(call $hostKeyAsInt64 (local.get $key) {Id})"))
    guest.parts.append("(global $deep (mut i32) (i32.const 0))")
    inner = guest.replaced["WasmOnReadValue"]
    start = inner.index("(local.set $k")
    nested = f"""(if (i32.eqz (global.get $deep)) (then (global.set $deep (i32.const 1))
        {guest.key("t.Things")} (call $hostReadValues (local.get $k))))"""
    guest.replace("WasmOnReadValue", inner[:start] + nested + inner[start:])
    state = stage.run(stage.load(guest))
    assert [intent.value.Big for _, intent in state.intents()] == [1, 2, 3, 1, 2, 3]


def test_a_read_that_the_guest_traps_in_is_closed(stage, reader):
    engine = stage.load(reader(lambda _: "(unreachable)"))
    with pytest.raises(CodeError, match="unreachable"):
        stage.run(engine)
    assert stage.memory["t.Things"].closed == 1


def test_a_row_of_a_read_is_gone_when_the_read_has_ended(stage, reader):
    guest = reader(lambda _: "(global.set $kept (local.get $v))")
    guest.parts.append("(global $kept (mut i64) (i64.const 0))")
    body = guest.parts[0]
    guest.parts[0] = (
        body[: body.rindex(")")] + f"(drop (call $hostValueAsInt64 (global.get $kept) {guest.text('Big')})))"
    )
    with pytest.raises(CodeError, match="after the READ has gone on"):
        stage.run(stage.load(guest))


def test_a_partial_key_reads_what_begins_with_it(stage, wat):
    guest = wat()
    guest.add("Do", guest.key("t.Things", Id=3) + "(call $hostReadValues (local.get $k))")
    stage.run(stage.load(guest))
    assert stage.memory["t.Things"].closed == 1


def test_an_object_that_is_no_value_is_refused_by_the_field_that_holds_it(stage):
    with pytest.raises(SchemaError, match="ArgumentObject"):
        stage.put("sys.CommandContext", None, {}, ArgumentObject=Line())


def test_a_long_text_that_was_read_is_not_overlaid_by_what_is_read_after_it(stage, wat):
    """More than the host has at hand in the guest's memory, twice, and short ones between and behind."""
    long, longer = "a" * 70_000, "b" * 90_000
    argument = {"short": "s", "long": long, "longer": longer, "last": "l"}
    stage.put("sys.CommandContext", None, {}, ArgumentObject=argument)
    guest = wat()
    guest.pages = 10
    code = guest.key("sys.CommandContext") + GET + ARGUMENT
    variables = "(local $k i64) (local $v i64) (local $i i64) (local $p i64)"
    for number, name in enumerate(argument):
        variables += f" (local $p{number} i64)"
        code += f"(local.set $p{number} (call $hostValueAsString (local.get $v) {{{name}}}))"
    for number in range(len(argument)):
        code += guest.key("t.Things", Id=number) + _keep("String", f"(local.get $p{number})")
    guest.add("Do", code, variables=variables)
    state = stage.run(stage.load(guest))
    assert [intent.value.Text for _, intent in state.intents()] == list(argument.values())


def test_what_was_read_in_one_call_makes_room_in_the_next(stage, wat):
    stage.put("t.Things", None, {"Id": 1}, Text="x" * 5000)
    guest = wat()
    read = "(drop (call $hostValueAsString (local.get $v) {Text}))"
    guest.add("Do", guest.key("t.Things", Id=1) + GET + read * 10)
    engine = stage.load(guest)
    for _ in range(100):
        stage.run(engine)


def test_a_list_of_texts_is_read_as_lines(reads_argument):
    assert reads_argument({"Header": ("A: 1", "B: 2")}, "String", "Header") == "A: 1\nB: 2"


def test_the_only_field_of_a_value_may_be_read_by_no_name(stage, wat):
    stage.put("sys.AppSecret", None, {"Secret": "key"}, Content="sesame")
    guest = wat()
    code = guest.key("sys.AppSecret", Secret="key") + GET + guest.key("t.Things", Id=1)
    [(_, intent)] = stage.does(code + _keep("String", "(call $hostValueAsString (local.get $v) {})"), guest)
    assert intent.value.Text == "sesame"
