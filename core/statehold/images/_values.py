from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import attrs

from statehold.images._files import open_regular
from statehold.images._json import json_type
from statehold.images._problem import nearest, summary
from statehold.images._redactor import Redactor
from statehold.images._settings import Descriptor
from statehold.sdk import DataType, DescriptorError, Field, Secret
from statehold_vsql.appdef import ParameterDef, QName

ParameterValue = bool | int | float | str | bytes

_SECRET_BYTES = 1 << 20
_BITS = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32}
_FLOATS = (DataType.FLOAT32, DataType.FLOAT64)
_FLOAT32_MOST = 3.4028234663852886e38
_WORDS = {"true": True, "false": False}


def _names(values: Mapping[QName, object]) -> str:
    return f"[{', '.join(map(str, values))}]"


@attrs.frozen(kw_only=True)
class Values:
    """The parameters and secrets of an app version, resolved and checked; its text never shows a value."""

    parameters: Mapping[QName, ParameterValue] = attrs.field(repr=_names)
    secrets: Mapping[QName, Secret] = attrs.field(repr=_names)

    def secrets_of(self, package: str) -> Mapping[str, Secret]:
        """Return the secrets of *package* by their names in it.

        The storages of `sys` serve all packages: they get the secrets of the whole app, as `package.name`,
        and by the name alone where only one package has it.
        """
        if package != "sys":
            return {name.name: secret for name, secret in self.secrets.items() if name.package == package}
        names = Counter(name.name for name in self.secrets)
        return {
            **{name.name: secret for name, secret in self.secrets.items() if names[name.name] == 1},
            **{str(name): secret for name, secret in self.secrets.items()},
        }

    def redactor(self) -> Redactor:
        """Return a filter for log handlers that takes the secret values out of every record."""
        return Redactor(self.secrets.values())


def resolve_values(
    parameters: Mapping[QName, ParameterDef],
    descriptor: Descriptor,
    *,
    secrets_folder: Path | None,
    environ: Mapping[str, str],
) -> Values:
    """Return the value of every PARAMETER and SECRET in *parameters*.

    A parameter comes from PackageParams, else from `STATEHOLD_PARAM_<PACKAGE>_<NAME>` in *environ*, else
    it has its default. A secret comes from the file `<package>.<name>` or `<name>` in *secrets_folder*,
    else from `STATEHOLD_SECRET_<NAME>`; an empty one counts as missing.

    Raises:
        DescriptorError: with everything that is unknown, missing or of a wrong type.

    """
    problems = _unknown(parameters, descriptor)
    found: dict[QName, ParameterValue] = {}
    secrets: dict[QName, Secret] = {}
    for name, definition in parameters.items():
        if definition.secret:
            secret = _secret(name, definition.field, secrets_folder, environ, problems.append)
            if secret is not None:
                secrets[name] = secret
        else:
            value = _parameter(name, definition, descriptor, environ, problems.append)
            if value is not None:
                found[name] = value
    if problems:
        raise DescriptorError(summary("Parameters and secrets", problems), problems=problems)
    return Values(parameters=MappingProxyType(found), secrets=MappingProxyType(secrets))


def _unknown(parameters: Mapping[QName, ParameterDef], descriptor: Descriptor) -> list[str]:
    problems = []
    packages = {name.package for name in parameters}
    for package, params in descriptor.package_params.items():
        if package not in packages:
            hint = nearest(package, packages) or "none of the app does"
            problems.append(f"PackageParams: no package {package!r} declares parameters ({hint})")
            continue
        declared = {name.name: parameters[name] for name in parameters if name.package == package}
        for name in params:
            if name not in declared:
                hint = nearest(name, (item for item, definition in declared.items() if not definition.secret))
                problems.append(
                    f"PackageParams.{package}: unknown parameter {name!r} ({hint or 'it declares none'})"
                )
            elif declared[name].secret:
                problems.append(
                    f"PackageParams.{package}.{name}: a SECRET does not belong into a descriptor "
                    f"(take it out and write it to the file {package}.{name} in the secrets folder)"
                )
    return problems


def _parameter(
    name: QName,
    definition: ParameterDef,
    descriptor: Descriptor,
    environ: Mapping[str, str],
    wrong: Callable[[str], None],
) -> ParameterValue | None:
    variable = f"STATEHOLD_PARAM_{name.package}_{name.name}".upper()
    params = descriptor.package_params.get(name.package, {})
    if name.name in params:
        raw, where = params[name.name], f"PackageParams.{name.package}.{name.name}"
    elif variable in environ:
        raw, where = _parse(environ[variable], definition.field.type), f"the environment variable {variable}"
    elif definition.default is not None:
        raw, where = definition.default, f"the default of {name}"
    else:
        wrong(
            f"parameter {name} ({definition.position}) has no value and no default "
            f'(set it: "PackageParams": {{"{name.package}": {{"{name.name}": ...}}}}, or {variable})'
        )
        return None
    try:
        return _typed(definition.field, raw)
    except _WrongError as error:
        wrong(f"{where}: {error}, for {definition.field} declared at {definition.position}")
        return None


def _secret(
    name: QName,
    field: Field,
    folder: Path | None,
    environ: Mapping[str, str],
    wrong: Callable[[str], None],
) -> Secret | None:
    variable = f"STATEHOLD_SECRET_{name.name}".upper()
    files = [folder / str(name), folder / name.name] if folder is not None else []
    text = ""
    for path in files:
        text, fault = _read_secret(path)
        if fault:
            wrong(f"secret {name}: the file {path} {fault}")
            return None
        if text:
            break
    text = text or environ.get(variable, "")
    if not text.strip():
        looked = ", ".join([*(f"the file {path}" for path in files), f"the environment variable {variable}"])
        hint = "" if files else " (the host has no secrets folder)"
        wrong(f"secret {name} is missing: looked for {looked}{hint}")
        return None
    try:
        _typed(field, _parse(text, field.type))
    except _WrongError:
        wrong(f"secret {name}: its value is not a valid {field.type}{_length(field)}")
        return None
    return Secret(text)


def _read_secret(path: Path) -> tuple[str, str]:
    """Return the text of a secret's file without the line's end, or what is wrong; "" where there is none."""
    try:
        with open_regular(path) as file:
            data = file.read(_SECRET_BYTES + 1)
    except FileNotFoundError:
        return "", ""
    except OSError as error:
        return "", f"cannot be read: {error.strerror}"
    if len(data) > _SECRET_BYTES:
        return "", f"is larger than {_SECRET_BYTES} bytes"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "", "is not UTF-8"
    text = text.removesuffix("\n").removesuffix("\r")
    return (text if text.strip() else ""), ""


class _WrongError(Exception):
    """A value does not fit its field; the text does not quote it."""


def _parse(text: str, kind: DataType) -> object:
    """Return the value that *text* writes, or the text where it writes none of that kind."""
    try:
        if kind in _FLOATS:
            return float(text)
        if kind is DataType.BOOL:
            return _WORDS.get(text.strip().lower(), text)
        if kind in (DataType.TEXT, DataType.QNAME, DataType.BYTES):
            return text
        return int(text)
    except ValueError:
        return text


def _typed(field: Field, value: object) -> ParameterValue:
    """Return *value* as a value of *field*, or raise; bytes are written in base64."""
    match field.type:
        case DataType.BOOL if isinstance(value, bool):
            return value
        case DataType.FLOAT32 | DataType.FLOAT64 if isinstance(value, int | float) and not isinstance(
            value, bool
        ):
            most = _FLOAT32_MOST if field.type is DataType.FLOAT32 else math.inf
            if not math.isfinite(value) or abs(value) > most:
                raise _WrongError(f"expected {field.type}, got a number out of its range")
            return float(value)
        case DataType.TEXT | DataType.QNAME if isinstance(value, str):
            return _short(field, value)
        case DataType.BYTES if isinstance(value, str):
            try:
                return _short(field, base64.b64decode(value, validate=True))
            except (binascii.Error, ValueError):
                pass
            raise _WrongError("expected bytes in base64, got another text")
        case (
            DataType.BOOL
            | DataType.TEXT
            | DataType.QNAME
            | DataType.BYTES
            | DataType.FLOAT32
            | DataType.FLOAT64
        ):
            pass
        case _ if isinstance(value, int) and not isinstance(value, bool):
            most = (1 << _BITS.get(field.type, 64) - 1) - 1
            if not -most - 1 <= value <= most:
                raise _WrongError(
                    f"expected {field.type} ({-most - 1} to {most}), got a number out of that range"
                )
            return value
    raise _WrongError(f"expected {field.type}, got {json_type(value)}")


def _short(field: Field, value: ParameterValue) -> ParameterValue:
    if isinstance(value, str | bytes) and field.max_length is not None and len(value) > field.max_length:
        raise _WrongError(f"longer than {field.max_length}: {len(value)}")
    return value


def _length(field: Field) -> str:
    return f" of at most {field.max_length}" if field.max_length is not None else ""
