"""Run every benchmark, print the table, and write `build/bench.json`."""

from __future__ import annotations

import importlib
import json
import pkgutil
import platform
import sys
from pathlib import Path

import attrs
from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks._measure import Row


def main(only: list[str]) -> int:
    """Run the pages named in *only*, or all; return 0 if every bar holds, else 1."""
    console = Console()
    target = Path("build/bench.json")
    target.parent.mkdir(exist_ok=True)
    pages = [page.name for page in pkgutil.iter_modules(benchmarks.__path__) if not page.name.startswith("_")]
    if unknown := set(only) - set(pages):
        console.print(f"unknown: {', '.join(unknown)}; there are {', '.join(pages)}")
        return 2
    rows: list[Row] = []
    for page in only or pages:
        with console.status(f"measuring {page} ..."):
            rows += importlib.import_module(f"benchmarks.{page}").rows()
    table = Table("what", "held against", "measured", "limit", "ratio", "bar", "")
    for row in rows:
        mark = "[green]holds[/]" if row.holds else "[red]falls short[/]"
        table.add_row(
            row.name,
            row.limit_name,
            f"{row.measured:,.4g} {row.unit}",
            f"{row.limit:,.4g} {row.unit}",
            f"{row.ratio:.2f}",
            f"{row.sense} {row.bar:g}",
            mark,
        )
    console.print(table)
    report = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rows": [{**attrs.asdict(row), "holds": row.holds} for row in rows],
    }
    target.write_text(json.dumps(report, indent=2) + "\n")
    console.print(f"written to {target}")
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
