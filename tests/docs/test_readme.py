from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from statehold.hosting import Host
from statehold.sdk import ScopeError

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")

PYPROJECT = """
[project]
name = "scada"
version = "1"
[project.entry-points."statehold.storages"]
Scada = "scada:provider"
"""
PLUGIN = """
from statehold.sdk import Provider


class Scada:
    def __init__(self, ctx): pass
    def get(self, key): return None
    def value_to_insert(self, key, value): return value
    def validate(self, items): pass
    def apply_batch(self, items): pass
    def free(self): pass


provider = Provider(name="Scada", open=Scada, operations=["GET", "INSERT"])
"""


def test_the_application_it_shows_gives_the_error_it_shows(tmp_path):
    rows = re.findall(r"^  │ (.{46,47})│   │ (.{36,37})│$", README, re.MULTILINE)
    declarations, code = ("\n".join(line.rstrip() for line in column) for column in zip(*rows, strict=True))
    package = tmp_path / "acme.bills/image/pkg/acme.example/bills"
    (package / "storages/scada").mkdir(parents=True)
    (package / "extensions").mkdir()
    (package / "bills.vsql").write_text(declarations)
    (package / "application.vsql").write_text("APPLICATION bills();\n")
    (package / "extensions/kitchen.py").write_text(
        "from statehold.sdk import extension\n" + code[: code.index("class Scada")]
    )
    (package / "storages/pyproject.toml").write_text(PYPROJECT)
    (package / "storages/scada/__init__.py").write_text(PLUGIN)
    (tmp_path / "acme.bills/descriptor.json").write_text(json.dumps({"Version": "1.0.0"}))
    with Host(tmp_path / "data", environ={}) as host:
        host.deploy(tmp_path / "acme.bills")
        with host.app("acme.bills").borrow() as partition:
            scada = partition.facades("bills.Look")["bills.Scada"]
            with pytest.raises(ScopeError) as raised:
                scada.insert(scada.key(1, Device="oven"), {"Reading": 1.5})
    assert f"ScopeError: {raised.value}" in " ".join(README.split())


def test_the_targets_it_names_are_there():
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z-]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
