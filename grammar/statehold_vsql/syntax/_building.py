"""Builds the tables of the grammar with Lark; `python -m statehold_vsql.syntax` writes `vsql.tables`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from statehold_vsql.syntax._tables import END, Tables


def build_tables(grammar: str) -> Tables:
    """Return the LALR tables of a grammar, numbered the same way in every run."""
    from lark import Lark  # noqa: PLC0415  # 30 ms that nobody needs whose tables are in step
    from lark.lexer import PatternStr  # noqa: PLC0415
    from lark.parsers.lalr_analysis import Shift  # noqa: PLC0415

    lark = Lark(grammar, parser="lalr", lexer="contextual", start="file", maybe_placeholders=False)
    # Keywords and signs go by their text, everything else by its name in the grammar.
    texts: dict[str, str] = {END: END}
    patterns: dict[str, str] = {}
    for terminal in lark.terminals:
        pattern = terminal.pattern
        if isinstance(pattern, PatternStr):
            texts[terminal.name] = pattern.value
        else:
            patterns[terminal.name] = pattern.value

    parsing = lark.parse_interactive("").parser_state.parse_conf
    rules: dict[tuple[str, int, str], int] = {}
    numbers: dict[Any, int] = {parsing.start_state: 0}
    order = [parsing.start_state]
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    for state in order:  # grows while it is walked
        row: dict[str, int] = {}
        goto: dict[str, int] = {}
        for symbol, (kind, argument) in sorted(parsing.states[state].items(), key=_by_symbol):
            if kind is not Shift:
                key = (argument.origin.name, len(argument.expansion), _action(argument))
                row[texts.get(symbol, symbol)] = ~rules.setdefault(key, len(rules))
                continue
            if argument not in numbers:
                numbers[argument] = len(order)
                order.append(argument)
            is_rule = symbol.lstrip("_").islower() or "{" in symbol
            (goto if is_rule else row)[texts.get(symbol, symbol)] = numbers[argument]
        if state == parsing.end_state:
            row[END] = numbers[state]  # to take the end up is to accept
        actions.append(row)
        gotos.append(goto)
    return Tables(
        actions=tuple(actions),
        gotos=tuple(gotos),
        rules=tuple(rules),
        patterns=dict(sorted(patterns.items())),
    )


def missing_actions(tables: Tables, actions: Iterable[str]) -> list[str]:
    """Return the actions that rules need and that are not among `actions`: all but those of one child."""
    known = set(actions)
    return sorted({action for _, size, action in tables.rules if size != 1 and action not in known})


def _by_symbol(entry: tuple[str, Any]) -> str:
    return entry[0]


def _action(rule: Any) -> str:
    name: str = rule.alias or rule.origin.name
    return name.partition("{")[0]
