"""JSONCONFIG, PARAMETER and SECRET."""

from __future__ import annotations

import pytest

from statehold_vsql import DataType
from statehold_vsql.appdef import QName

_PARAMETERS = "PARAMETER Url text DEFAULT 'x'; PARAMETER Size int DEFAULT 5; SECRET Password text;\n"


def _storage(config: str) -> str:
    return (
        f"{_PARAMETERS}STATESTORAGE ENGINE PYPLUGIN (STORAGE A (GET SCOPE(JOBS)) WITH JSONCONFIG=`{config}`);"
    )


@pytest.mark.parametrize(
    "config",
    [
        "{}",
        '{"a": "$Url", "b": ["ws://$Url/$Size", {"c": "$Password"}], "d": "$$5", "$Nope": 1}',
        '{"a": "$$Nope", "n": null, "t": true, "f": 1.5e3, "ü": "ü"}',
    ],
)
def test_an_object_with_known_parameters_is_accepted(language, config: str) -> None:
    app = language.accepts(_storage(config))
    assert app.storages[QName("bills", "A")].config == config


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ('{"a": «x»}', "Expecting value"),
        ('{"a": 1«»', "delimiter"),
        ("«»", "Expecting value"),
    ],
)
def test_what_is_not_json_is_reported_where_it_stops_to_be(language, config: str, expected: str) -> None:
    compiled = language.compile(_storage(config.replace("«", "").replace("»", "")))
    (found,) = compiled.diagnostics
    assert found.code == "invalid-config"
    assert expected in found.message
    assert found.line == 2


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("«`[1]`»", "is a list"),
        ("«`null`»", "is a null"),
        ('«`"x"`»', "is a text"),
        ('«`{"a": NaN}`»', "NaN is not a number of JSON"),
        ('«`{"a": 1, "a": 2}`»', "occurs twice"),
        ("«`" + "[" * 100_000 + "`»", "nested too deep"),
    ],
)
def test_what_is_no_object_is_reported(language, config: str, expected: str) -> None:
    text = f"STATESTORAGE ENGINE PYPLUGIN (STORAGE A (GET SCOPE(JOBS)) WITH JSONCONFIG={config});"
    assert expected in language.report(text, "invalid-config")


def test_an_unknown_parameter_is_reported_where_it_stands_with_the_nearest(language) -> None:
    told = language.report(_storage('{\n "a": "ws://«$Ulr»/x",\n "b": "$Ulr"}'), "undefined-parameter")
    assert told.endswith("did you mean `$Url`?")
    language.reports(_storage('{"a": "«$Url_x»", "b": "«$»"}'), "undefined-parameter", "undefined-parameter")


def test_a_dollar_in_a_quoted_string_is_found_too(language) -> None:
    text = 'STATESTORAGE ENGINE PYPLUGIN (STORAGE A (GET SCOPE(JOBS)) WITH JSONCONFIG=\'{"a": "«$X»"}\');'
    language.reports(text, "undefined-parameter")


def test_parameters_and_secrets_are_in_the_application(language) -> None:
    app = language.accepts(_PARAMETERS)
    size, password = app.parameters[QName("bills", "Size")], app.parameters[QName("bills", "Password")]
    assert (size.default, size.secret, size.field.type) == (5, False, DataType.INT32)
    assert (password.default, password.secret, password.field.type) == (None, True, DataType.TEXT)


@pytest.mark.parametrize(
    "declaration",
    [
        "PARAMETER P int8 DEFAULT -128",
        "PARAMETER P bigint DEFAULT 9223372036854775807",
        "PARAMETER P float DEFAULT 1.5",
        "PARAMETER P float64 DEFAULT 1",
        "PARAMETER P bool DEFAULT TRUE",
        "PARAMETER P text(3) DEFAULT 'abc'",
        "PARAMETER P qname DEFAULT 'a.b'",
        "PARAMETER P timestamp",
        "SECRET P bytes",
    ],
)
def test_a_default_that_fits_is_accepted(language, declaration: str) -> None:
    language.accepts(declaration + ";")


@pytest.mark.parametrize(
    "declaration",
    [
        "PARAMETER P int8 DEFAULT «128»",
        "PARAMETER P int DEFAULT «1.5»",
        "PARAMETER P int DEFAULT «TRUE»",
        "PARAMETER P int DEFAULT «'1'»",
        "PARAMETER P bool DEFAULT «1»",
        "PARAMETER P float DEFAULT «'x'»",
        "PARAMETER P text DEFAULT «5»",
        "PARAMETER P text(3) DEFAULT «'abcd'»",
        "PARAMETER P text DEFAULT «NULL»",
        "PARAMETER P bytes DEFAULT «'x'»",
    ],
)
def test_a_default_that_does_not_fit_is_reported(language, declaration: str) -> None:
    language.reports(declaration + ";", "default-type")


def test_a_type_that_no_operator_can_give_is_reported(language) -> None:
    language.reports("PARAMETER P «blob»; PARAMETER Q «Nope»;", "undefined-type", "undefined-type")
