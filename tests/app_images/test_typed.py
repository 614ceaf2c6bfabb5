from __future__ import annotations

import os
import subprocess
import sys

import pytest

from statehold.cli import run


def test_what_an_editor_knows_of_its_calls_is_up_to_date(bills, capsys):
    assert run(["stubs", "--check", str(bills)]) == 0, capsys.readouterr()


@pytest.mark.parametrize("overlay", ["", "version-2/"])
def test_its_code_is_typed(bills, overlay, tmp_path):
    package = "image/pkg/acme.example/bills/extensions"
    if overlay:
        (bills / package / "money.py").write_bytes((bills / overlay / package / "money.py").read_bytes())
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases", "--config-file", ""),
            *("--cache-dir", tmp_path / "cache", package),
        ],
        cwd=bills,
        env={**os.environ, "MYPYPATH": "image/pkg/acme.example"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
