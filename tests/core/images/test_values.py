from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.images import Descriptor, Values, resolve_values
from statehold.sdk import DataType, DescriptorError, Field, Secret
from statehold_vsql.appdef import ParameterDef, Position, QName

AT = Position("acme.example/bills", "bills.vsql", 3, 1)
MISSING = object()


def parameter(
    name: str, kind: str = "text", default: object = None, *, secret: bool = False, length: int | None = None
) -> tuple[QName, ParameterDef]:
    qname = QName(*name.split("."))
    field = Field(qname.name, kind, max_length=length)
    return qname, ParameterDef(name=qname, field=field, default=default, secret=secret, position=AT)


def resolve(
    *definitions: tuple[QName, ParameterDef],
    params: Mapping[str, Mapping[str, object]] | None = None,
    secrets: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Values:
    return resolve_values(
        dict(definitions),
        Descriptor(package_params=params or {}),
        secrets_folder=secrets,
        environ=environ or {},
    )


def refusal(*definitions: tuple[QName, ParameterDef], **given: object) -> str:
    with pytest.raises(DescriptorError) as caught:
        resolve(*definitions, **given)
    return str(caught.value)


def value(*definitions: tuple[QName, ParameterDef], **given: object) -> object:
    (found,) = resolve(*definitions, **given).parameters.values()
    return found


def test_a_parameter_comes_from_the_descriptor_then_the_environment_then_its_default() -> None:
    size = parameter("bills.Size", "int32", 1)
    environ = {"STATEHOLD_PARAM_BILLS_SIZE": "2"}
    assert value(size, params={"bills": {"Size": 3}}, environ=environ) == 3
    assert value(size, environ=environ) == 2
    assert value(size) == 1


def test_a_parameter_without_any_value_says_how_to_set_it() -> None:
    text = refusal(parameter("bills.Size", "int32"))
    assert "bills.Size (bills.vsql:3:1) has no value and no default" in text
    assert '"PackageParams": {"bills": {"Size": ...}}' in text
    assert "STATEHOLD_PARAM_BILLS_SIZE" in text


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("int8", -128, -128),
        ("int16", 32767, 32767),
        ("int32", 2**31 - 1, 2**31 - 1),
        ("int64", -(2**63), -(2**63)),
        ("timestamp", 1_700_000_000_000, 1_700_000_000_000),
        ("money", 15_000, 15_000),
        ("float64", 1, 1.0),
        ("float32", 0.5, 0.5),
        ("bool", False, False),
        ("text", "x", "x"),
        ("qname", "a.B", "a.B"),
        ("bytes", "AAE=", b"\0\1"),
    ],
)
def test_a_value_has_the_type_of_its_parameter(kind: str, given: object, expected: object) -> None:
    found = value(parameter("a.P", kind), params={"a": {"P": given}})
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("int8", 128, "expected int8 (-128 to 127), got a number out of that range"),
        ("int64", 2**63, "expected int64 (-9223372036854775808 to 9223372036854775807), got"),
        ("int32", 1.0, "expected int32, got a number"),
        ("int32", True, "expected int32, got true or false"),
        ("int32", "1", "expected int32, got text"),
        ("float32", 1e39, "expected float32, got a number out of its range"),
        ("float64", True, "expected float64, got true or false"),
        ("bool", 1, "expected bool, got an integer"),
        ("text", 1, "expected text, got an integer"),
        ("bytes", "no base64!", "expected bytes in base64"),
        ("bytes", 1, "expected bytes, got an integer"),
    ],
)
def test_a_value_of_another_type_is_refused(kind: str, given: object, expected: str) -> None:
    text = refusal(parameter("a.P", kind), params={"a": {"P": given}})
    assert f"PackageParams.a.P: {expected}" in text
    assert f"for P {kind} declared at bills.vsql:3:1" in text


def test_a_text_over_its_length_is_refused() -> None:
    assert "longer than 3: 4" in refusal(parameter("a.P", length=3), params={"a": {"P": "four"}})


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("int32", "-5", -5),
        ("float64", "1e3", 1000.0),
        ("bool", "True", True),
        ("bool", "false", False),
        ("text", "007", "007"),
        ("bytes", "AAE=", b"\0\1"),
    ],
)
def test_the_environment_gives_typed_values(kind: str, text: str, expected: object) -> None:
    assert value(parameter("a.P", kind), environ={"STATEHOLD_PARAM_A_P": text}) == expected


@pytest.mark.parametrize(
    ("kind", "text"), [("int32", "one"), ("bool", "yes"), ("float64", "nan"), ("int8", "")]
)
def test_a_wrong_value_in_the_environment_names_the_variable(kind: str, text: str) -> None:
    found = refusal(parameter("a.P", kind), environ={"STATEHOLD_PARAM_A_P": text})
    assert "the environment variable STATEHOLD_PARAM_A_P: " in found


def test_unknown_packages_and_names_are_refused_with_the_nearest() -> None:
    size = parameter("bills.Size", "int32", 1)
    assert "did you mean 'bills'?" in refusal(size, params={"bils": {}})
    assert "unknown parameter 'Sise' (did you mean 'Size'?)" in refusal(size, params={"bills": {"Sise": 1}})
    assert "none of the app does" in refusal(params={"bills": {"Size": 1}})


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DescriptorError) as caught:
        resolve(
            parameter("a.P", "int32"),
            parameter("a.Q", "int32"),
            parameter("a.S", secret=True),
            params={"a": {"P": "x", "R": 1}, "b": {}},
            secrets=tmp_path,
        )
    assert len(caught.value.problems) == 5


def test_a_secret_comes_from_its_file_then_the_plain_file_then_the_environment(tmp_path: Path) -> None:
    door = parameter("a.Door", secret=True)
    environ = {"STATEHOLD_SECRET_DOOR": "from the environment"}

    def found() -> object:
        return resolve(door, secrets=tmp_path, environ=environ).secrets[door[0]].reveal()

    assert found() == "from the environment"
    (tmp_path / "Door").write_text("plain\n")
    assert found() == "plain"
    (tmp_path / "a.Door").write_text("own\r\n")
    assert found() == "own"
    (tmp_path / "a.Door").write_text(" \n")
    assert found() == "plain"


def test_a_secret_keeps_its_inner_and_outer_spaces(tmp_path: Path) -> None:
    (tmp_path / "Door").write_text(" two\nlines \n\n")
    values = resolve(parameter("a.Door", secret=True), secrets=tmp_path)
    assert values.secrets_of("a") == {"Door": Secret(" two\nlines \n")}
    assert values.secrets_of("b") == {}


def test_a_missing_secret_says_where_it_was_looked_for(tmp_path: Path) -> None:
    text = refusal(parameter("a.Door", secret=True), secrets=tmp_path)
    for place in (tmp_path / "a.Door", tmp_path / "Door", "STATEHOLD_SECRET_DOOR"):
        assert str(place) in text
    assert "no secrets folder" in refusal(parameter("a.Door", secret=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff hunter2", "is not UTF-8"),
        (b"hunter2" * 200_000, "is larger than"),
        (None, "cannot be read: not a regular file"),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "a.Door"
    os.mkfifo(path) if content is None else path.write_bytes(content)
    text = refusal(parameter("a.Door", secret=True), secrets=tmp_path)
    assert f"the file {path} {message}" in text
    assert "hunter2" not in text


def test_a_folder_in_the_place_of_a_secret_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.Door").mkdir()
    assert "not a regular file" in refusal(parameter("a.Door", secret=True), secrets=tmp_path)


def test_a_secret_in_the_descriptor_is_refused_and_not_shown(tmp_path: Path) -> None:
    text = refusal(
        parameter("a.Door", secret=True),
        params={"a": {"Door": "hunter2"}},
        environ={"STATEHOLD_SECRET_DOOR": "x"},
    )
    assert "PackageParams.a.Door: a SECRET does not belong into a descriptor" in text
    assert "hunter2" not in text


def test_a_secret_of_a_wrong_type_is_refused_and_not_shown() -> None:
    environ = {"STATEHOLD_SECRET_PIN": "hunter2"}
    text = refusal(parameter("a.Pin", "int32", secret=True), environ=environ)
    assert "its value is not a valid int32" in text
    assert "hunter2" not in text
    assert "of at most 3" in refusal(parameter("a.Pin", length=3, secret=True), environ=environ)


def test_values_show_names_only() -> None:
    values = resolve(
        parameter("a.P"),
        parameter("a.Door", secret=True),
        params={"a": {"P": "visible"}},
        environ={"STATEHOLD_SECRET_DOOR": "hunter2"},
    )
    assert repr(values) == "Values(parameters=[a.P], secrets=[a.Door])"
    assert values.redactor().redact("open with hunter2") == "open with ***"


secret_values = st.text(min_size=6).map(lambda text: f"q7{text}7q").filter(lambda text: "\0" not in text)


@given(
    secret=secret_values,
    kind=st.sampled_from(list(DataType)),
    length=st.none() | st.integers(0, 50),
    place=st.sampled_from(["descriptor", "environment", "parameter", "unknown"]),
)
def test_no_error_and_no_text_shows_a_secret(
    secret: str, kind: DataType, length: int | None, place: str
) -> None:
    definition = parameter("a.Door", kind, secret=place != "parameter", length=length)
    name = "Dor" if place == "unknown" else "Door"
    given = {name: secret} if place != "environment" else {}
    environ = {"STATEHOLD_SECRET_DOOR": secret}
    try:
        values = resolve(definition, params={"a": given} if given else {}, environ=environ)
    except DescriptorError as error:
        shown = "".join(traceback.format_exception(error)) + repr(vars(error))
    else:
        shown = f"{values} {values!r}"
    for form in (secret, repr(secret)[1:-1]):
        assert form not in shown


def test_the_storages_of_sys_get_the_secrets_of_the_whole_app(tmp_path: Path) -> None:
    for name in ("a.Door", "b.Door", "b.Key"):
        (tmp_path / name).write_text(f"of {name}")
    names = [parameter(name, secret=True) for name in ("a.Door", "b.Door", "b.Key")]
    found = resolve(*names, secrets=tmp_path).secrets_of("sys")
    assert {name: secret.reveal() for name, secret in found.items()} == {
        "a.Door": "of a.Door",
        "b.Door": "of b.Door",
        "b.Key": "of b.Key",
        "Key": "of b.Key",
    }
