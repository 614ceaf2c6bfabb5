from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from statehold.cli import run

SAMPLES = Path(__file__).parents[3] / "app_images"


@pytest.fixture
def samples() -> Path:
    return SAMPLES


@pytest.fixture
def statehold(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command, expect its exit code, and return what it wrote, stderr last."""

    def call(*arguments: object, code: int = 0) -> str:
        capsys.readouterr()
        got = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert got == code, out + err
        assert "Traceback" not in err
        return out + err

    return call


@pytest.fixture
def machine(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run a command with --json, expect its exit code and one document on stdout, and return that."""

    def call(*arguments: object, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        got = run([*(str(argument) for argument in arguments), "--json"])
        out, err = capsys.readouterr()
        assert got == code, out + err
        document: dict[str, Any] = json.loads(out)
        assert document["ok"] == (code == 0)
        return document

    return call
