from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from statehold.images import build_image

ROOT = Path(__file__).parents[2]
METER = ROOT / "app_images/acme.meter/image/pkg/acme.example/meter/wasm"

VSQL = """
APPLICATION answers();

STATESTORAGE ENGINE {engine} (
  STORAGE {storage} (GET SCOPE(QUERIES))
  {schema};
)

ALTER WORKSPACE sys.AppWorkspaceWS (
  TYPE Answer (Version text NOT NULL, Stored text);
  EXTENSION ENGINE PYTHON ( QUERY Which STATE({storage}) RETURNS Answer; );
  GRANT EXECUTE ON QUERY Which TO sys.Everyone;
);
"""

CODE = """
from statehold.sdk import extension

@extension
def which(call):
    row = call.{storage}.get({key})
    return {{"Version": {version!r}, "Stored": row.{value} if row else ""}}
"""

PLUGIN = """
from statehold.sdk import Field, Operation, Provider

class Answers:
    def __init__(self, ctx):
        self.answer = ctx.value(Version=ctx.version)

    def get(self, key):
        if self.answer is None:
            raise AssertionError("a freed storage was called")
        return self.answer

    def free(self):
        self.answer = None

provider = Provider(
    name="Answers", open=Answers, operations=[Operation.GET],
    key=[Field("Id", "int64", required=True)], value=[Field("Version", "text")],
)
"""

PYPROJECT = """
[project]
name = "answers"
version = "{version}"

[project.entry-points."statehold.storages"]
Answers = "answers:provider"
"""


class Answers:
    """Builds images of an app with a query that says of which version its code and its storage are."""

    def __init__(self, folder: Path, isolation: str) -> None:
        self.folder = folder
        self.isolation = isolation

    def __call__(self, version: str) -> Path:
        root = self.folder / version / "acme.answers"
        package = root / "image/pkg/example.com/answers"
        (package / "extensions").mkdir(parents=True)
        if self.isolation == "wasm":
            config = 'WITH JSONCONFIG=`{"LongestNote": 200}`'
            words = {"engine": "WASM", "storage": "Meter", "schema": config}
            names = {"storage": "Meter", "key": 'Meter="x", At=1', "value": "Note"}
            shutil.copytree(METER, package / "wasm")
        else:
            words = {
                "engine": "PYPLUGIN",
                "storage": "Answers",
                "schema": "KEY (Id int64 NOT NULL) VALUE (Version text)",
            }
            names = {"storage": "Answers", "key": "Id=1", "value": "Version"}
            code = package / "storages/answers"
            code.mkdir(parents=True)
            (code / "__init__.py").write_text(PLUGIN)
            (code.parent / "pyproject.toml").write_text(PYPROJECT.format(version=version))
        (package / "answers.vsql").write_text(VSQL.format(**words))
        (package / "extensions/answers.py").write_text(CODE.format(version=version, **names))
        storage = f"answers.{names['storage']}"
        descriptor = {
            "Version": version,
            "NumParts": 2,
            "NumAppWorkspaces": 2,
            "Storages": {storage: {"isolation": self.isolation}},
        }
        (root / "descriptor.json").write_text(json.dumps(descriptor))
        return build_image(root, self.folder / f"{version}.shi")


@pytest.fixture
def answers(tmp_path):
    return lambda isolation: Answers(tmp_path / "images", isolation)
