from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from statehold.images._json import read_json_object
from statehold.images._problem import nearest, summary
from statehold.images._values import ParameterValue, Values
from statehold.sdk import DescriptorError, PluginError, Secret
from statehold_vsql.appdef import QName, StorageDef

_DOLLAR = re.compile(r"\$(\$|[^\W\d]\w*|)")
_MODEL = "use a msgspec.Struct, an attrs class or a dataclass"
_Object = msgspec.inspect.StructType | msgspec.inspect.DataclassType
_AT = re.compile(r" - at `\$(?P<path>[^`]*)`$")


def storage_config(storage: StorageDef, model: type | None, values: Values) -> object:
    """Return the JSONCONFIG of *storage* as an instance of *model*, None where the provider has no model.

    A text that is `$NAME` becomes the parameter's typed value, `$NAME` inside a longer text its text, `$$`
    a dollar. A secret becomes a Secret, and makes one of a longer text that it stands in.

    Raises:
        DescriptorError: with every unknown, missing or wrongly typed key.
        PluginError: the model itself cannot be used.

    """
    where = f"The config of storage {storage.name} ({storage.position})"
    content, faults = read_json_object(storage.config if storage.config is not None else "{}")
    problems = [f"JSONCONFIG: {fault}" for fault in faults]
    if model is None and content:
        problems.append("its provider takes no config (remove JSONCONFIG)")
    substitution = _Substitution(storage.name.package, values, problems)
    filled = {key: substitution.apply(item, f"key {key!r}") for key, item in content.items()}
    config: object = None
    if model is not None and not faults:
        config = _Conversion(model, storage.provider, values, problems).convert(filled)
    if problems:
        raise DescriptorError(summary(where, problems), problems=problems)
    return config


class _Substitution:
    """Puts the values of one package's parameters and secrets in the place of `$NAME`."""

    def __init__(self, package: str, values: Values, problems: list[str]) -> None:
        self._problems = problems
        found: dict[QName, ParameterValue | Secret] = {**values.parameters, **values.secrets}
        self._values = {name.name: value for name, value in found.items() if name.package == package}

    def apply(self, value: object, where: str) -> object:
        if isinstance(value, dict):
            return {name: self.apply(item, f"{where}.{name}") for name, item in value.items()}
        if isinstance(value, list):
            return [self.apply(item, f"{where}[{at}]") for at, item in enumerate(value)]
        if isinstance(value, str) and "$" in value:
            return self._text(value, where)
        return value

    def _text(self, text: str, where: str) -> object:
        whole = _DOLLAR.fullmatch(text)
        if whole and whole[1] in self._values:
            return self._values[whole[1]]
        hidden = False

        def value_of(match: re.Match[str]) -> str:
            nonlocal hidden
            name = match[1]
            if name == "$":
                return "$"
            if name not in self._values:
                self._unknown(name, where)
                return ""
            value = self._values[name]
            if isinstance(value, Secret):
                hidden = True
                return value.reveal()
            return _as_text(value)

        filled = _DOLLAR.sub(value_of, text)
        return Secret(filled) if hidden else filled

    def _unknown(self, name: str, where: str) -> None:
        if name:
            hint = nearest(name, self._values) or "the package declares no PARAMETER and no SECRET"
            self._problems.append(f"{where}: ${name} is no parameter or secret of the package ({hint})")
        else:
            self._problems.append(f"{where}: a '$' without a name (write '$$' for a dollar)")


class _Conversion:
    """Makes an instance of a config model and notes everything that does not fit."""

    def __init__(self, model: type, provider: str, values: Values, problems: list[str]) -> None:
        self._model = model
        self._problems = problems
        self._redact = values.redactor().redact
        try:
            info = msgspec.inspect.type_info(model)
            self._hints = typing.get_type_hints(model, include_extras=True)
        except (TypeError, NameError) as error:
            raise PluginError(f"The config model of provider {provider}: {error}", hint=_MODEL) from error
        if not isinstance(info, _Object):
            raise PluginError(f"The config model of provider {provider} is no class with fields", hint=_MODEL)
        self._info = info

    def convert(self, content: dict[str, object]) -> object:
        before = len(self._problems)
        for name, field in self._known(content, self._info, "").items():
            sound = len(self._problems)
            self._check(content[name], field.type, f"key {name!r}")
            if len(self._problems) == sound:
                self._attempt(content[name], self._hints[field.name], f"key {name!r}")
        return self._attempt(content, self._model, "") if len(self._problems) == before else None

    def _attempt(self, value: object, kind: Any, where: str) -> object:
        try:
            return msgspec.convert(value, kind, dec_hook=_make)
        except msgspec.ValidationError as error:
            message = str(error)
        except Exception as error:  # noqa: BLE001 - a model's own checks may raise whatever they like
            message = f"{type(error).__name__}: {error}"
        at = _AT.search(message)
        text = message[: at.start()] if at else message
        text = f"{text[:1].lower()}{text[1:]}" if text.startswith("Expected") else text
        path = f"{where}{at['path']}" if at else where
        self._problems.append(f"{path}{': ' if path else ''}{self._redact(text)}{_hint(text)}")
        return None

    def _check(self, value: object, info: object, where: str) -> None:
        """Note unknown and missing keys of all that lies in *value*."""
        match info:
            case msgspec.inspect.UnionType(types=types):
                shaped = [item for item in types if _fits(value, item)]
                if len(shaped) == 1:
                    self._check(value, shaped[0], where)
            case msgspec.inspect.DictType(value_type=item) if isinstance(value, dict):
                for name, inner in value.items():
                    self._check(inner, item, f"{where}.{name}")
            case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
                for at, inner in enumerate(value if isinstance(value, list) else ()):
                    self._check(inner, item, f"{where}[{at}]")
            case msgspec.inspect.StructType() | msgspec.inspect.DataclassType() if isinstance(value, dict):
                for name, field in self._known(value, info, where).items():
                    self._check(value[name], field.type, _at(where, name))

    def _known(
        self, value: Mapping[str, object], info: _Object, where: str
    ) -> dict[str, msgspec.inspect.Field]:
        """Note the unknown and the missing keys of *value* itself, and return the others' fields."""
        fields = {field.encode_name: field for field in info.fields}
        tag = getattr(info, "tag_field", None)
        for name in value:
            if name not in fields and name != tag:
                self._problems.append(
                    f"{_at(where, name)}: unknown ({nearest(name, fields) or 'there are none'})"
                )
        for name, field in fields.items():
            if field.required and name not in value:
                self._problems.append(f"{_at(where, name)}: missing (JSONCONFIG must set it)")
        return {name: field for name, field in fields.items() if name in value}


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else f"key {name!r}"


def _fits(value: object, info: object) -> bool:
    if isinstance(value, dict):
        return isinstance(info, _Object | msgspec.inspect.DictType)
    return isinstance(value, list) and isinstance(
        info, msgspec.inspect.ListType | msgspec.inspect.VarTupleType
    )


def _make(kind: type, value: object) -> object:
    if isinstance(value, kind):
        return value
    if kind is Secret:
        if isinstance(value, str):
            return Secret(value)
        raise ValueError(f"Expected `Secret`, got `{type(value).__name__}`")
    raise TypeError(f"Expected `{kind.__name__}`, which cannot be made of `{type(value).__name__}`")


def _hint(message: str) -> str:
    if "got `Secret`" in message:
        return " (a SECRET needs a field of type statehold.sdk.Secret in the provider's config model)"
    if message.startswith("expected"):
        return " (correct it in JSONCONFIG, or the parameter that it takes)"
    return ""


def _as_text(value: ParameterValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
