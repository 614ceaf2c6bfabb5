from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from statehold_vsql._fields import DataType
from statehold_vsql.syntax._actions._common import Actions, comment_before, over
from statehold_vsql.syntax.nodes import Name, NameRef, Span, Text, TypeName

actions = Actions()

_TYPES = {
    DataType.TEXT: ("character varying", "varchar", "text"),
    DataType.BYTES: ("binary varying", "varbinary", "bytes"),
    DataType.INT8: ("tinyint", "int8"),
    DataType.INT16: ("smallint", "int16"),
    DataType.INT32: ("integer", "int", "int32"),
    DataType.INT64: ("bigint", "int64"),
    DataType.FLOAT32: ("real", "float", "float32"),
    DataType.FLOAT64: ("double precision", "float64"),
    DataType.TIMESTAMP: ("timestamp",),
    DataType.MONEY: ("money", "currency"),
    DataType.BOOL: ("boolean", "bool"),
    DataType.BLOB: ("binary large object", "blob"),
    DataType.QNAME: ("qualified name", "qname"),
}
TYPE_WORDS = {word: type_ for type_, words in _TYPES.items() for word in words}


@actions
def reference_here(children: list[Any]) -> NameRef:
    """Build the name of something without its package."""
    name: Name = children[0]
    return NameRef("", name.text, name.span)


@actions
def plain_type(children: list[Any]) -> TypeName:
    """Build a type; it never has a length."""
    (word,) = children
    return TypeName(TYPE_WORDS[word.text], None, word.span)


actions["long_type"] = plain_type


@actions
def long_type_length(children: list[Any]) -> TypeName:
    """Build a type with its length."""
    word, _, length, close = children
    return TypeName(TYPE_WORDS[word.text], length, over(word, close))


class With(Struct, frozen=True):
    """The clause WITH of a statement."""

    comment: Text | None
    tags: tuple[NameRef, ...]
    end: Span | None

    @classmethod
    def of(cls, items: Iterable[tuple[str, Any, Span]]) -> With:
        """Sum the items up: of several comments the last counts, tags add up."""
        comment: Text | None = None
        tags: list[NameRef] = []
        end: Span | None = None
        for kind, value, end in items:  # noqa: B007  # the last end is that of the clause
            if kind == "comment":
                comment = value
            else:
                tags.extend(value)
        return cls(comment, tuple(tags), end)

    def comment_or(self, token: Any) -> str:
        """Return the comment given here, else the one before a token."""
        return self.comment.value if self.comment is not None else comment_before(token)


@actions
def with_clause(children: list[Any]) -> With:
    """Build the clause WITH."""
    return With.of(children[1])


@actions
def with_comment(children: list[Any]) -> tuple[str, Text, Span]:
    """Note the comment."""
    _, text = children
    return "comment", text, text.span


@actions
def with_tags(children: list[Any]) -> tuple[str, Any, Span]:
    """Note the tags."""
    _, _, tags, close = children
    return "tags", tags, close
