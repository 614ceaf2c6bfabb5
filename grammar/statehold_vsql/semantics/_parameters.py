from __future__ import annotations

from statehold_vsql._fields import DataType, Field
from statehold_vsql.appdef import ParameterDef, VariableDef
from statehold_vsql.semantics._fields import checked_length, near_type
from statehold_vsql.semantics._model import Symbol
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n

_BITS = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32}
_FLOATS = frozenset({DataType.FLOAT32, DataType.FLOAT64})
_TEXTS = frozenset({DataType.TEXT, DataType.QNAME})
_NO_PARAMETER = frozenset({DataType.BLOB, DataType.REF})


def check_parameter(symbol: Symbol, report: Report) -> ParameterDef | None:
    """Check a PARAMETER or SECRET; return it, or None if its type is not known."""
    node: n.Parameter = symbol.node
    place = symbol.place
    word = "SECRET" if node.secret else "PARAMETER"
    type_ = node.type
    if isinstance(type_, n.NameRef) or type_.type in _NO_PARAMETER:
        text = type_.text if isinstance(type_, n.NameRef) else str(type_.type)
        report.error(
            place,
            type_.span,
            "undefined-type",
            f"{word} {symbol.name}: {text} is not a data type that an operator could give a value of",
            near_type(text, report) if text not in _NO_PARAMETER else "",
        )
        return None
    length = checked_length(type_, place, report, maximum=None)
    default = node.default
    if default is not None:
        wrong = _default_error(type_.type, length, default.value)
        if wrong:
            report.error(
                place,
                default.span,
                "default-type",
                f"{word} {symbol.name}: {wrong}",
                f"a default has the type of the parameter, {type_.type}",
            )
    value = default.value if default is not None else None
    if type_.type in _FLOATS and isinstance(value, int):
        value = float(value)
    return ParameterDef(
        name=symbol.qname,
        field=Field(symbol.name, type_.type, required=default is None, max_length=length),
        default=value,
        secret=node.secret,
        comment=node.comment,
        position=symbol.position,
    )


def check_variable(symbol: Symbol, report: Report) -> VariableDef:
    """Check a DECLARE: its default is a number of 32 bits."""
    node: n.Declare = symbol.node
    wrong = _default_error(DataType.INT32, None, node.default.value)
    if wrong:
        report.error(symbol.place, node.default.span, "default-type", f"DECLARE {symbol.name}: {wrong}")
    return VariableDef(
        name=symbol.qname, default=node.default.value, comment=node.comment, position=symbol.position
    )


def _default_error(type_: DataType, length: int | None, value: object) -> str:
    found = f"the DEFAULT is {_describe(value)}"
    if type_ in _TEXTS:
        if not isinstance(value, str):
            return f"{found}, but a text is expected"
        too_long = length is not None and len(value) > length
        return f"the DEFAULT has {len(value)} characters, more than {length}" if too_long else ""
    if type_ is DataType.BYTES:
        return f"a {type_} cannot have a DEFAULT"
    if type_ is DataType.BOOL:
        return "" if isinstance(value, bool) else f"{found}, but TRUE or FALSE is expected"
    if type_ in _FLOATS:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if is_number else f"{found}, but a number is expected"
    if not isinstance(value, int) or isinstance(value, bool):
        return f"{found}, but a whole number is expected"
    bound = 1 << _BITS.get(type_, 64) - 1
    return "" if -bound <= value < bound else f"the DEFAULT is out of the range of {type_}"


def _describe(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if value is None:
        return "NULL"
    return "a text" if isinstance(value, str) else "a number"
