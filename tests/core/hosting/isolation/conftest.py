from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from statehold.images import build_image
from statehold.processing import SYSTEM, Request, Runtime

VSQL = """
APPLICATION den();
PARAMETER Deed text DEFAULT 'none';
SECRET Token text;

STATESTORAGE ENGINE {engine} (
  STORAGE Box (
    GET      SCOPE(COMMANDS, QUERIES, JOBS),
    GETBATCH SCOPE(COMMANDS, QUERIES),
    READ     SCOPE(QUERIES),
    INSERT   SCOPE(COMMANDS, JOBS),
    UPDATE   SCOPE(COMMANDS)
  )
  {schema}
  {config};
)
{more}

ALTER WORKSPACE sys.AppWorkspaceWS (
  TYPE Row (Name text NOT NULL, Text text);
  TYPE Named (Name text NOT NULL);
  EXTENSION ENGINE PYTHON (
    COMMAND Put(Row) INTENTS(Box);
    QUERY Show(Named) STATE(Box) RETURNS Row;
    QUERY All STATE(Box) RETURNS Row;
  );
);
"""

CODE = """
from statehold.sdk import extension

@extension
def put(call):
    call.Box.insert(Name=call.arg.Name, Text=call.arg.Text)

@extension
def show(call):
    found = call.Box.get(Name=call.arg.Name)
    return {"Name": call.arg.Name, "Text": found and found.Text}

@extension
def all(call):
    for key, value in call.Box.read():
        yield {"Name": key.Name, "Text": value.Text}
"""

PYPROJECT = """
[project]
name = "den-boxes"
version = "{version}"

[project.entry-points."statehold.storages"]
Box = "den_boxes:provider"
{hooks}
"""

PLUGIN = """
import os
import threading

import msgspec

from statehold.sdk import Field, IWithRows, Operation, Provider, Rank, StorageError, merge

VERSION = {version!r}
{code}


class Config(msgspec.Struct):
    Deed: str = "none"
    Token: object = None


class Box:
    '''Keeps rows in memory, and takes over those of the version before.'''

    def __init__(self, ctx):
        self.ctx = ctx
        self.kept = {{}}
        if ctx.config.Deed == "leak":
            raise StorageError("refused: " + ctx.secrets["Token"].reveal())
        if ctx.config.Deed != "alone" and isinstance(ctx.existing, IWithRows):
            for key, value in ctx.existing.rows():
                assert ctx.existing.get(ctx.key_class(key.WSID, key.Name)).Text == value.Text
                self.kept[key.WSID, key.Name] = value.Text
        if ctx.config.Deed == "work":
            ctx.background(self.work)
        self.ctx.logger.info("opened by %s", os.getpid())

    def work(self, ended):
        self.ctx.logger.info("begun")
        ended.wait(30)
        self.ctx.logger.info("ended")

    def get(self, key):
        deed = getattr(self, "deed_" + key.Name, None)
        text = self.kept.get((key.WSID, key.Name)) if deed is None else deed()
        return None if text is None else self.ctx.value(Text=text)

    def deed_pid(self):
        return str(os.getpid())

    def deed_uid(self):
        return str(os.getuid())

    def deed_version(self):
        return VERSION

    def deed_folder(self):
        return str(self.ctx.data_folder)

    def deed_keep(self):
        file = self.ctx.data_folder / VERSION
        file.touch(mode=0o600)
        file.write_text(VERSION)
        return "".join(sorted(file.read_text() for file in self.ctx.data_folder.iterdir()))

    def deed_crash(self):
        print("that was too much", flush=True)
        os._exit(3)

    def deed_hang(self):
        threading.Event().wait(30)

    def deed_memory(self):
        return str(len(bytearray(200 << 20)))

    def deed_secret(self):
        self.ctx.logger.warning("the secret is %s", self.ctx.secrets["Token"].reveal())

    def deed_network(self):
        return str(self.ctx.allowances.get("network"))

    def get_batch(self, keys):
        return [self.get(key) for key in keys]

    def read(self, key):
        for (wsid, name), text in sorted(self.kept.items()):
            if wsid == key.WSID:
                yield self.ctx.key_class(wsid, name), self.ctx.value(Text=text)

    def rows(self):
        for (wsid, name), text in self.kept.items():
            yield self.ctx.key_class(wsid, name), self.ctx.value(Text=text)

    def value_to_insert(self, key, value):
        return value

    def value_to_update(self, key, existing, changes):
        return merge(existing, changes)

    def validate(self, items):
        for item in items:
            if item.value.Text == "no":
                raise StorageError("the box refuses it")

    def apply_batch(self, items):
        for item in items:
            self.kept[item.key.WSID, item.key.Name] = item.value.Text

    def free(self):
        self.ctx.logger.info("freed")


provider = Provider(
    name="Box", open=Box, operations=list(Operation), config=Config, {options}
    key=[Field("Name", "text", required=True)], value=[Field("Text", "text")],
)
{after}
"""


class Den:
    """Builds images of an app with one storage in memory, brought by its own plugin."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.built = 0

    def __call__(
        self,
        version="1",
        *,
        box=None,
        engine="PYPLUGIN",
        deed="none",
        code="",
        after="",
        options="",
        hooks="",
        more="",
        config='{"Deed": "$Deed"}',
        schema="KEY (Name text NOT NULL) VALUE (Text text)",
        executable=None,
        silent=False,
        module=None,
        **descriptor,
    ) -> Path:
        """Build the image; *box* is what its descriptor says of the storage; *silent*: no extensions."""
        self.built += 1
        root = self.folder / str(self.built) / "acme.den"
        package = root / "image/pkg/example.com/den"
        package.mkdir(parents=True)
        config = f"WITH JSONCONFIG=`{config}`" if config else ""
        text = VSQL.format(engine=engine, schema=schema, config=config, more=more)
        if silent:
            (package / "den.vsql").write_text(text.partition("ALTER WORKSPACE")[0])
        else:
            (package / "den.vsql").write_text(text)
            (package / "extensions").mkdir()
            (package / "extensions/den.py").write_text(CODE)
        if executable is not None:
            (package / f"storages-{version}").write_text(f"#!{sys.executable} -IB\n{executable}")
        elif module is not None:
            (package / f"storages-{version}.wasm").write_bytes(module)
        else:
            (package / "storages/den_boxes").mkdir(parents=True)
            (package / "storages/pyproject.toml").write_text(PYPROJECT.format(version=version, hooks=hooks))
            plugin = PLUGIN.format(version=version, code=code, options=options, after=after)
            (package / "storages/den_boxes/__init__.py").write_text(plugin)
        storages = {} if box is None else {"den.Box": box}
        content = {"Version": version, "Storages": storages, "PackageParams": {"den": {"Deed": deed}}}
        (root / "descriptor.json").write_text(json.dumps({**content, **descriptor}))
        return build_image(root, root.parent / f"acme.den-{version}.shi")


@pytest.fixture
def den(tmp_path):
    return Den(tmp_path / "dens")


@pytest.fixture
def environ():
    return {"STATEHOLD_SECRET_TOKEN": "hunter2"}


@pytest.fixture
def host(open_host, environ):
    return open_host(environ=environ)


@pytest.fixture
def runtime(host):
    with Runtime(host) as runtime:
        yield runtime


HERE = Request(app="acme.den", workspace=1, principal=SYSTEM)


@pytest.fixture
def put(runtime):
    """Return a function that puts a row by a command."""
    return lambda name, text: runtime.command(HERE, "den.Put", {"Name": name, "Text": text})


@pytest.fixture
def show(runtime):
    """Return a function that asks for the text of a row by a query."""
    return lambda name: runtime.query(HERE, "den.Show", {"Name": name})[0]["Text"]


@pytest.fixture
def everything(runtime):
    """Return a function that reads all rows by a query."""
    return lambda: [(row["Name"], row["Text"]) for row in runtime.query(HERE, "den.All", {})]
