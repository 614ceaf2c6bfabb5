from __future__ import annotations

import dataclasses
import enum
import json
import traceback
from typing import Annotated, Literal

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.images import Values, storage_config
from statehold.sdk import DescriptorError, PluginError, Secret
from statehold_vsql import StorageEngine
from statehold_vsql.appdef import Position, QName, StorageDef

PASSWORD = "hunter2"


class Retry(msgspec.Struct):
    Times: int
    Wait: float = 0.5


class Config(msgspec.Struct, kw_only=True):
    URL: str
    Password: Secret | None = None
    Port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 80
    Secure: bool = False
    Mode: Literal["read", "write"] = "read"
    Retry: Retry | None = None
    Hosts: list[Retry] = []
    Named: dict[str, Retry] = {}
    Tokens: list[Secret] = []


VALUES = Values(
    parameters={
        QName("bills", "SCADA_URL"): "127.0.0.1:8765",
        QName("bills", "Port"): 8080,
        QName("bills", "Secure"): True,
        QName("bills", "Wait"): 1.5,
        QName("menu", "Other"): "x",
    },
    secrets={QName("bills", "Scada_Password"): Secret(PASSWORD)},
)


def storage(config: object) -> StorageDef:
    text = config if isinstance(config, str) or config is None else json.dumps(config)
    return StorageDef(
        name=QName("bills", "Scada"),
        engine=StorageEngine.PYPLUGIN,
        provider="Scada",
        operations=None,
        config=text,
        position=Position("acme.example/bills", "scada.vsql", 4, 3),
    )


def read(config: object, model: type | None = Config, values: Values = VALUES) -> object:
    return storage_config(storage(config), model, values)


def refusal(config: object, model: type | None = Config, values: Values = VALUES) -> DescriptorError:
    with pytest.raises(DescriptorError) as caught:
        read(config, model, values)
    assert str(caught.value).startswith("The config of storage bills.Scada (scada.vsql:4:3)")
    return caught.value


def test_the_seed_of_the_design_becomes_a_model() -> None:
    config = read('{"URL": "$SCADA_URL", "Password": "$Scada_Password"}')
    assert config == Config(URL="127.0.0.1:8765", Password=Secret(PASSWORD))
    assert PASSWORD not in repr(config)


def test_a_whole_text_takes_the_typed_value_and_a_part_its_text() -> None:
    config = read(
        {
            "URL": "http://$SCADA_URL:$Port/?secure=$Secure&wait=$Wait&cost=5$$",
            "Port": "$Port",
            "Secure": "$Secure",
            "Retry": {"Times": 1, "Wait": "$Wait"},
        }
    )
    assert config == Config(
        URL="http://127.0.0.1:8765:8080/?secure=true&wait=1.5&cost=5$",
        Port=8080,
        Secure=True,
        Retry=Retry(Times=1, Wait=1.5),
    )


@pytest.mark.parametrize(
    ("text", "expected"), [("$$", "$"), ("$$SCADA_URL", "$SCADA_URL"), ("a$$b", "a$b"), ("$$$$", "$$")]
)
def test_two_dollars_are_one(text: str, expected: str) -> None:
    assert read({"URL": text}) == Config(URL=expected)


def test_a_secret_in_a_longer_text_hides_the_whole() -> None:
    config = read({"URL": "x", "Password": "user:$Scada_Password@$SCADA_URL"})
    assert isinstance(config, Config)
    assert config.Password == Secret(f"user:{PASSWORD}@127.0.0.1:8765")


def test_secrets_reach_fields_inside_of_lists() -> None:
    config = read({"URL": "x", "Tokens": ["$Scada_Password", "plain"]})
    assert config == Config(URL="x", Tokens=[Secret(PASSWORD), Secret("plain")])


def test_a_model_may_be_an_attrs_class_or_a_dataclass() -> None:
    @attrs.frozen
    class Attrs:
        URL: str
        Password: Secret

    @dataclasses.dataclass
    class Data:
        URL: str
        Password: Secret

    config = {"URL": "$SCADA_URL", "Password": "$Scada_Password"}
    for model in (Attrs, Data):
        assert read(config, model) == model("127.0.0.1:8765", Secret(PASSWORD))


def test_without_jsonconfig_the_model_has_its_defaults() -> None:
    assert read(None, msgspec.defstruct("Model", [("Size", int, 5)])).Size == 5  # type: ignore[attr-defined]


def test_a_provider_without_model_takes_no_config() -> None:
    assert read(None, None) is None
    assert read("{}", None) is None
    assert "takes no config" in str(refusal({"URL": "x"}, None))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            "{",
            "JSONCONFIG: no valid JSON: Expecting property name enclosed in double quotes at line 1",
        ),
        ("[]", "JSONCONFIG: expected a JSON object, got a list"),
        ('{"URL": "a", "URL": "b"}', "'URL' is given twice"),
        ({"URL": "x", "Pasword": "y"}, "key 'Pasword': unknown (did you mean 'Password'?)"),
        ({"URL": "x", "Retry": {"Times": 1, "Wayt": 1}}, "key 'Retry'.Wayt: unknown (did you mean 'Wait'?)"),
        ({"URL": "x", "Hosts": [{"Times": 1}, {"Tims": 1}]}, "key 'Hosts'[1].Tims: unknown"),
        ({"URL": "x", "Named": {"a": {}}}, "key 'Named'.a.Times: missing"),
        ({}, "key 'URL': missing (JSONCONFIG must set it)"),
        ({"URL": 1}, "key 'URL': expected `str`, got `int` (correct it in JSONCONFIG"),
        ({"URL": None}, "key 'URL': expected `str`, got `null`"),
        ({"URL": "$Port"}, "key 'URL': expected `str`, got `int`"),
        ({"URL": "x", "Port": "80"}, "key 'Port': expected `int`, got `str`"),
        ({"URL": "x", "Port": 0}, "key 'Port': expected `int` >= 1"),
        ({"URL": "x", "Mode": "reed"}, "key 'Mode'"),
        ({"URL": "x", "Retry": {"Times": "1"}}, "key 'Retry'.Times: expected `int`, got `str`"),
        ({"URL": "x", "Hosts": [{"Times": 1}, {"Times": "1"}]}, "key 'Hosts'[1].Times: expected `int`"),
        ({"URL": "x", "Retry": []}, "key 'Retry': expected `object | null`, got `array`"),
        (
            {"URL": "$SCADA_URI"},
            "$SCADA_URI is no parameter or secret of the package (did you mean 'SCADA_URL'?)",
        ),
        ({"URL": "$Other"}, "$Other is no parameter"),
        ({"URL": "a $ b"}, "a '$' without a name (write '$$' for a dollar)"),
        ({"URL": "$1"}, "a '$' without a name"),
        ({"URL": "$Scada_Password"}, "got `Secret` (a SECRET needs a field of type statehold.sdk.Secret"),
        ({"URL": "x", "Port": "$Scada_Password"}, "got `Secret`"),
        ({"URL": "x", "Mode": "$Scada_Password"}, "got `Secret`"),
        ({"URL": "x", "Password": 5}, "key 'Password': expected `Secret`, got `int`"),
    ],
)
def test_a_wrong_config_says_what_was_expected(config: object, message: str) -> None:
    assert message in str(refusal(config))


def test_everything_wrong_is_told_at_once() -> None:
    config = {"Port": "$Port!", "Secure": 1, "Retry": {"Tims": 1}, "URI": "$Nothing"}
    problems = refusal(config).problems
    assert len(problems) == 7, problems


def test_a_model_that_is_none_is_an_error_of_the_plugin() -> None:
    for model in (int, list):
        with pytest.raises(PluginError, match=r"msgspec\.Struct, an attrs class or a dataclass"):
            read("{}", model)


def test_a_model_that_checks_itself_may_quote_the_secret_in_vain() -> None:
    class Strict(msgspec.Struct):
        Password: Secret

        def __post_init__(self) -> None:
            raise ValueError(f"the password {self.Password.reveal()} is too weak")

    error = refusal({"Password": "$Scada_Password"}, Strict)
    assert "the password *** is too weak" in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None

    class Wild(Strict):
        def __post_init__(self) -> None:
            raise KeyError(self.Password.reveal())

    assert "KeyError: '***'" in str(refusal({"Password": "$Scada_Password"}, Wild))


class Colour(enum.Enum):
    RED = "red"


class Everything(msgspec.Struct):
    text: str = ""
    number: int = 0
    real: float = 0.0
    flag: bool = False
    data: bytes = b""
    colour: Colour = Colour.RED
    mode: Literal["a", "b"] = "a"
    short: Annotated[str, msgspec.Meta(max_length=1)] = ""
    pattern: Annotated[str, msgspec.Meta(pattern="^x$")] = "x"
    listed: list[int] = []
    named: dict[str, int] = {}
    inner: Retry | None = None
    secret: Secret | None = None
    secrets: list[Secret] = []


secret_values = st.text(min_size=6).map(lambda text: f"q7{text}7q")
places = st.sampled_from([*Everything.__struct_fields__, "unknown"])
shapes = st.sampled_from(
    ["$S", "a $S", "$S$S", ["$S"], {"x": "$S"}, {"Times": "$S"}, [["$S"]], "$S $nothing", {"$S": 1}]
)


@given(secret=secret_values, config=st.dictionaries(places, shapes, max_size=4))
def test_no_error_and_no_config_shows_a_secret(secret: str, config: dict[str, object]) -> None:
    values = Values(parameters={}, secrets={QName("bills", "S"): Secret(secret)})
    try:
        shown = repr(read(config, Everything, values))
    except DescriptorError as error:
        shown = "".join(traceback.format_exception(error)) + repr(vars(error))
        assert error.__cause__ is None  # noqa: PT017
        assert error.__context__ is None  # noqa: PT017
    for form in (secret, repr(secret)[1:-1]):
        assert form not in shown


@given(st.text(max_size=40))
def test_any_text_is_a_config_or_a_clear_error(text: str) -> None:
    try:
        read({"URL": text})
    except DescriptorError as error:
        assert error.problems  # noqa: PT017
