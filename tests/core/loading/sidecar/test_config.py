"""A config is read with the same model and the same words, whatever a plugin runs in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from statehold.loading import load_plugin
from statehold.loading.sidecar import Sidecars
from statehold.sdk import Provider
from statehold.testing import open_storage

CODE = """
from typing import Annotated, Literal
import msgspec
from statehold.sdk import Field, Operation, Provider, Secret

class Line(msgspec.Struct, kw_only=True, forbid_unknown_fields=False):
    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 502

class Config(msgspec.Struct, kw_only=True):
    lines: list[Line]
    password: Secret
    mode: Literal["fast", "safe"] = "safe"
    names: dict[str, int] = {}

    def __post_init__(self):
        if len({line.host for line in self.lines}) < len(self.lines):
            raise ValueError("two lines to the same host")

class Scada:
    def __init__(self, ctx):
        self.ctx = ctx

    def get(self, key):
        config = self.ctx.config
        told = [type(config).__name__, [(line.host, line.port) for line in config.lines]]
        told += [config.password.reveal(), config.mode, config.names]
        return self.ctx.value_class(repr(told))

    def free(self):
        pass

provider = Provider(
    name="Scada",
    open=Scada,
    operations=[Operation.GET],
    key=[Field("Id", "int64", required=True)],
    value=[Field("Text", "text")],
    config=Config,
)
"""
GIVEN = {"lines": [{"host": "a"}, {"host": "b", "port": 7}], "password": "let me in", "names": {"x": 1}}


@pytest.fixture(params=["inprocess", "sidecar"])
def provider(
    request: pytest.FixtureRequest, shared: Sidecars, make_wheel: Callable[..., Path]
) -> Iterator[Provider]:
    path = make_wheel({"scada/__init__.py": CODE})
    load = load_plugin if request.param == "inprocess" else shared.load_file
    with load(path, owner="acme.bills 1") as plugin:
        yield plugin.providers["Scada"]


def read(provider: Provider, config: Mapping[str, object]) -> str:
    with open_storage(provider, config=config) as opened:
        found = opened.facade.get(opened.key(1, Id=1))
        assert found is not None
        return str(found["Text"])


def test_a_storage_has_its_config_with_defaults_and_secrets(provider: Provider) -> None:
    assert read(provider, GIVEN) == repr(
        ["Config", [("a", 502), ("b", 7)], "let me in", "safe", {"x": 1}],
    )


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"lines": [{"port": 7}]}, r"missing required field `host` - at `\$.lines\[0\]`"),
        ({"lines": [{"host": "a", "port": 0}]}, r"Expected `int` >= 1 - at `\$.lines\[0\].port`"),
        ({"mode": "slow"}, r"Invalid enum value 'slow' - at `\$.mode`"),
        ({"names": {"x": "1"}}, r"Expected `int`, got `str` - at `\$.names\[...\]`"),
        ({"lines": [{"host": "a"}, {"host": "a"}]}, "two lines to the same host"),
    ],
)
def test_what_is_wrong_with_a_config_is_told_in_the_same_words(
    provider: Provider, wrong: Mapping[str, object], text: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=text):
        read(provider, {**GIVEN, **wrong})


def test_a_config_that_lacks_what_is_required_is_told_so(provider: Provider) -> None:
    with pytest.raises(msgspec.ValidationError, match="missing required field `password`"):
        read(provider, {"lines": []})


def test_a_secret_does_not_show_when_a_config_is_printed(provider: Provider) -> None:
    assert provider.config is not None
    with open_storage(provider, config=GIVEN) as opened:
        assert "let me in" not in repr(opened.context.config)
