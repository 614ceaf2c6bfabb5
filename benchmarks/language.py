"""What it costs to compile declarations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import count

from benchmarks._measure import Row, against, timed, within
from statehold_vsql import Contract, compile_app

SIZE = 26_000
LINES = 800
#: The cheapest thing that can be called reading the text: one regular expression finds its words.
WORDS = re.compile(r"--[^\n]*|/\*.*?\*/|'[^']*'|[A-Za-z]\w*|\d+|[^\s\w]", re.DOTALL)

TABLE = """
    -- What guests have ordered at one table of the house, number {n}.
    TABLE Order{n} INHERITS sys.CDoc (
        Number int32 NOT NULL,
        Waiter varchar(64) NOT NULL,
        Total int64,
        Note varchar,
        UNIQUEFIELD Number
    );
"""
VIEW = """
    VIEW OrdersByDay{n} (
        Day int32 NOT NULL,
        Number int64 NOT NULL,
        Total int64 NOT NULL,
        PRIMARY KEY ((Day), Number)
    ) AS RESULT OF FillOrders{n};
"""
EXTENSIONS = """
    EXTENSION ENGINE BUILTIN (
        /* Takes the order of a table and answers with its id. */
        COMMAND TakeOrder{n}(Order{n})
            STATE(sys.Record(Order{n}), sys.CommandContext)
            INTENTS(sys.Record(Order{n}), sys.Result);
        QUERY OrdersOf{n}(any)
            STATE(sys.View(OrdersByDay{n}))
            RETURNS void;
        SYNC PROJECTOR FillOrders{n}
            AFTER INSERT OR UPDATE ON Order{n}
            STATE(sys.Record(Order{n}))
            INTENTS(sys.View(OrdersByDay{n}));
    );
"""


def packages() -> dict[str, dict[str, str]]:
    """Return an app and `sys`, together 26 kB and at least 800 lines."""
    system = (files("statehold_sys") / "sys.vsql").read_text()
    body, n = "", 0
    while len(system) + len(body) < SIZE - 200:
        n += 1
        body += TABLE.format(n=n) + VIEW.format(n=n) + EXTENSIONS.format(n=n)
    app = f"APPLICATION orders();\nALTER WORKSPACE sys.AppWorkspaceWS (\n{body}\n);\n"
    missing = LINES - system.count("\n") - app.count("\n")
    return {"sys": {"sys.vsql": system}, "example.com/orders": {"orders.vsql": app + "\n" * max(0, missing)}}


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    app = packages()
    text = "".join(text for package in app.values() for text in package.values())
    contracts: dict[str, Contract] = {}
    runs = count()

    def compiled() -> None:
        # Texts that were never seen: the trees of small ones are remembered.
        end = f"\n-- {next(runs)}"
        fresh = {path: {name: text + end for name, text in one.items()} for path, one in app.items()}
        result = compile_app(fresh, contracts=contracts or None)
        if result.appdef is None:
            raise AssertionError("\n".join(map(str, result.diagnostics)))

    size = f"{len(text) / 1000:.0f} kB, {text.count(chr(10))} lines"
    yield within(f"compile {size}, parser warm", lambda: timed(compiled), limit=20, unit="ms")
    yield against(
        f"compile {size} / find its words",
        lambda: timed(compiled),
        lambda: timed(lambda: WORDS.findall(text)),
        limit_name="one regular expression",
        bar=60,
        unit="ms",
    )
