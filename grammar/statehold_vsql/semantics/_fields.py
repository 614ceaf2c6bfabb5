from __future__ import annotations

from statehold_vsql._fields import DataType, Field
from statehold_vsql.semantics._common import is_reported
from statehold_vsql.semantics._model import Place
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n

MAX_LENGTH = 65_535
_DEFAULT_LENGTH = 255
_SIZED = frozenset({DataType.TEXT, DataType.BYTES})

#: How data types may be written, for hints.
TYPE_WORDS = (
    *("text", "varchar", "bytes", "varbinary", "int", "int8", "int16", "int32", "int64", "integer"),
    *("tinyint", "smallint", "bigint", "float", "float32", "float64", "real", "timestamp", "money"),
    *("currency", "bool", "boolean", "blob", "qname", "ref"),
)

# What other languages call them.
_FOREIGN = {
    **dict.fromkeys(("string", "str", "char", "nvarchar", "uuid", "json"), "text"),
    **dict.fromkeys(("date", "datetime", "time"), "timestamp"),
    **dict.fromkeys(("decimal", "numeric"), "money"),
    **dict.fromkeys(("binary", "bytea"), "bytes"),
    **dict.fromkeys(("long", "number"), "int64"),
    "double": "float64",
}


def foreign_type(word: str) -> str:
    """Return a hint at the data type that another language calls so, empty if none does."""
    meant = _FOREIGN.get(word.lower())
    return f"did you mean `{meant}`?" if meant is not None else ""


def near_type(word: str, report: Report) -> str:
    """Return a hint at the data type that may be meant by a word, empty if none is near."""
    return foreign_type(word) or report.nearest(word, TYPE_WORDS, size=len(TYPE_WORDS))


def field_of(
    name: n.Name, type_: n.TypeName, place: Place, report: Report, *, required: bool, blob: bool
) -> Field:
    """Return a field of a table, type or view, and report a length or a type that cannot be."""
    length: int | None = None
    if type_.type in _SIZED:
        length = checked_length(type_, place, report, maximum=MAX_LENGTH) or _DEFAULT_LENGTH
    elif type_.type is DataType.BLOB and not blob:
        report.error(
            place,
            type_.span,
            "blob-outside-table",
            f"field {name} is a blob, but only tables can hold blobs",
            "store the blob in a table and a `ref` to its record here",
        )
    return Field(name.text, type_.type, required=required, max_length=length)


def checked_length(type_: n.TypeName, place: Place, report: Report, *, maximum: int | None) -> int | None:
    """Return the length in parentheses, None if there is none, and report one that cannot be."""
    number = type_.length
    if number is None:
        return None
    if is_reported(number):
        return None
    length = number.value
    if length < 1 or (maximum is not None and length > maximum):
        bounds = f"from 1 to {maximum}" if maximum is not None else "at least 1"
        without = f"the default, {_DEFAULT_LENGTH}" if maximum is not None else "no limit"
        report.error(
            place,
            number.span,
            "field-length",
            f"the length of a {type_.type} field is {bounds}, found {length}",
            "use a blob for more" if length > 0 else f"leave the length out for {without}",
        )
        return None
    return length


def checked_pattern(field: n.Field, place: Place, report: Report) -> str | None:
    """Return the regular expression of CHECK, and report one that is wrong or stands with the wrong type."""
    check = field.check_regexp
    if check is None:
        return None
    if not isinstance(field.type, n.TypeName) or field.type.type is not DataType.TEXT:
        report.error(
            place,
            check.span,
            "pattern-not-text",
            f"field {field.name} is not a text field, so CHECK with a regular expression cannot apply",
            "use CHECK (expression), or make the field text",
        )
        return None
    from statehold_vsql.semantics._patterns import pattern_error  # noqa: PLC0415 - few texts need it

    wrong = pattern_error(check.value)
    if wrong:
        report.error(
            place, check.span, "invalid-pattern", f"the regular expression of field {field.name}: {wrong}"
        )
        return None
    return check.value
