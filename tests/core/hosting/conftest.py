from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from statehold.hosting import Host
from statehold.images import build_image

VSQL = """
APPLICATION kitchen();

PARAMETER Fail text DEFAULT 'never';
{more}

STATESTORAGE ENGINE PYPLUGIN (
  STORAGE Historian (
    GET    SCOPE(QUERIES)
  )
  KEY (Device text NOT NULL) VALUE (Reading int64)
  WITH JSONCONFIG=`{{"Fail": "$Fail"}}`;

  STORAGE Scada (
    GET    SCOPE(COMMANDS, QUERIES, JOBS),
    INSERT SCOPE(COMMANDS, JOBS)
  )
  KEY (Device text NOT NULL) VALUE (Reading int64)
  WITH JSONCONFIG=`{config}`;
)

WORKSPACE KitchenWS (
  DESCRIPTOR KitchenDescriptor ();
  EXTENSION ENGINE PYTHON (
    COMMAND Heat INTENTS(Scada);
    QUERY Show STATE(Scada, Historian) RETURNS void;
    {extensions}
  );
);
"""

PYPROJECT = """
[project]
name = "kitchen-devices"
version = "{version}"

[project.entry-points."statehold.storages"]
Historian = "kitchen_devices:historian"
Scada = "kitchen_devices:scada"
{project}
"""

# Fails where its config says, `open Scada 1` in partition 1, and tells in its log what it does.
PLUGIN = """
import threading

import msgspec

from statehold.sdk import Field, Operation, Provider, StorageError

VERSION = {version!r}
{code}

class Config(msgspec.Struct):
    Fail: str = "never"
    Token: object = None


class Device:
    def __init__(self, ctx):
        self.ctx = ctx
        self.open = True
        self.taken_over = getattr(ctx.existing, "version", None)
        self.version = VERSION
        self.name = ctx.storage.partition(".")[2]
        self.hanging = threading.Event()
        self.tell("open")

    def tell(self, what):
        self.ctx.logger.info("%s", what)
        if self.ctx.config.Fail == f"{{what}} {{self.name}} {{self.ctx.partition}}":
            raise StorageError(f"told to fail: {{what}}")
        if self.ctx.config.Fail == f"exit {{what}}":
            raise SystemExit(0)
        if self.ctx.config.Fail == "leak":
            raise StorageError("refused: " + self.ctx.secrets["Token"].reveal())
        if self.ctx.config.Fail == f"hang {{what}} {{self.name}}":
            self.hanging.wait(60)

    def probe(self):
        self.tell("probe")

    def resume(self, existing):
        self.tell("resume")
        self.taken_over = existing.version

    def get(self, key):
        if not self.open:
            raise AssertionError("a freed storage was called")
        return self.ctx.value(Reading=int(VERSION) * 1000 + self.ctx.partition)

    def free(self):
        assert self.open, "freed twice"
        self.open = False
        self.tell("free")


class Settable(Device):
    def value_to_insert(self, key, value):
        return value

    def validate(self, items):
        pass

    def apply_batch(self, items):
        self.rows = {{item.key: item.value for item in items}}


DEVICE = [Field("Device", "text", required=True)]
READING = [Field("Reading", "int64")]
scada = Provider(
    name="Scada", open=Settable, operations=[Operation.GET, Operation.INSERT], key=DEVICE, value=READING,
    config=Config,
)
historian = Provider(
    name="Historian", open=Device, operations=[Operation.GET], key=DEVICE, value=READING, config=Config,
    requires=["Scada"],
)
"""


FUNCTIONS = "from statehold.sdk import extension\n"
FUNCTION = """
@extension({0!r})
def {0}(call):
    pass
"""
EXTENSION = re.compile(r"(?:COMMAND|QUERY|PROJECTOR|JOB) (\w+)")


class Kitchen:
    """Builds images of an app with two storages that depend on each other, brought by its own plugin."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.built = 0

    def source(
        self,
        version="1",
        *,
        app="acme.kitchen",
        fail="never",
        plugin=None,
        code="",
        project="",
        more="",
        config=None,
        extensions="",
        functions=None,
        vsql=VSQL,
        parts=1,
        **descriptor,
    ) -> Path:
        """Write the application folder and return its path."""
        self.built += 1
        root = self.folder / str(self.built) / app
        package = root / "image/pkg/example.com/kitchen"
        code_folder = package / "storages" / "kitchen_devices"
        code_folder.mkdir(parents=True)
        config = config or '{"Fail": "$Fail"}'
        text = vsql.format(more=more, config=config, extensions=extensions)
        (package / "kitchen.vsql").write_text(text)
        if functions is None:
            functions = FUNCTIONS + "".join(FUNCTION.format(name) for name in EXTENSION.findall(text))
        (package / "extensions").mkdir()
        (package / "extensions/kitchen.py").write_text(functions)
        (package / "storages/pyproject.toml").write_text(
            PYPROJECT.format(version=plugin or version, project=project)
        )
        (code_folder / "__init__.py").write_text(PLUGIN.format(version=version, code=code))
        content = {"Version": version, "NumParts": parts, "PackageParams": {"kitchen": {"Fail": fail}}}
        (root / "descriptor.json").write_text(json.dumps({**content, **descriptor}))
        return root

    def __call__(self, version="1", **kwargs) -> Path:
        """Build the image and return its path."""
        root = self.source(version, **kwargs)
        return build_image(root, root.parent / f"{root.name}-{version}.shi")


@pytest.fixture
def kitchen(tmp_path):
    return Kitchen(tmp_path / "images")


@pytest.fixture
def open_host(tmp_path):
    """Return a function that opens a host on the test's data folder; what is open in the end is closed."""
    hosts = []

    def open_host(**kwargs) -> Host:
        kwargs = {"environ": {}, "free_timeout": 60.0, "pending_timeout": 60.0} | kwargs
        hosts.append(Host(tmp_path / "data", **kwargs))
        return hosts[-1]

    yield open_host
    for host in hosts:
        host.close()


@pytest.fixture
def host(open_host):
    return open_host()


SHOP = """
APPLICATION shop();

ALTER WORKSPACE sys.AppWorkspaceWS (
  TABLE Bill INHERITS sys.CDoc (Number int32 NOT NULL, Total int64, UNIQUE(Number));
  TABLE Guest INHERITS sys.CDoc (Name text);
  TYPE Open (Number int32 NOT NULL);
  TYPE Sum (Total int64);
  VIEW Turnover (Day int32 NOT NULL, Bill int32 NOT NULL, Total int64, PRIMARY KEY ((Day), Bill))
    AS RESULT OF Fill;
  VIEW Visits (Day int32 NOT NULL, Guest text NOT NULL, Count int64, PRIMARY KEY ((Day), Guest))
    AS RESULT OF Fill;
  EXTENSION ENGINE PYTHON (
    COMMAND OpenBill(Open) STATE(sys.Record(Bill), sys.Uniq(Bill)) INTENTS(sys.Record(Bill)) RETURNS Sum;
    COMMAND Greet(Open) STATE(sys.Record(Guest), sys.CommandContext) RETURNS any;
    QUERY Totals(Open) STATE(sys.View(Turnover), sys.QueryContext) RETURNS Sum;
    PROJECTOR Fill AFTER INSERT ON Bill
      STATE(sys.View(Turnover)) INTENTS(sys.View(Turnover), sys.View(Visits));
    SYNC PROJECTOR Sync AFTER INSERT ON Bill STATE(sys.View(Turnover));
    JOB Clean '@hourly' INTENTS(sys.Logger);
  );
  {more}
);
"""

SHOP_CODE = """
import threading

from statehold.sdk import extension

@extension
def open_bill(call):
    call.Record.Bill.insert(Number=call.arg.Number, Total=1, **{{"sys.ID": 1}})
    return {{"Total": {version}}}

@extension
def greet(call):
    pass

@extension
def totals(call):
    for total in range(call.arg.Number):
        yield {{"Total": total}}

@extension
def fill(call):
    call.View.Turnover.insert(Day=1, Bill=call.offset, Total=5)

@extension
def sync(call):
    assert threading.current_thread()

@extension
def clean(call):
    call.log.info("cleaned")
{code}
"""


class Shop:
    """Builds images of an app with tables and views, and with code for its extensions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.built = 0

    def __call__(self, version="1", *, more="", code="", sys=None, app="acme.shop", **descriptor) -> Path:
        """Write the application folder and return its path; *sys* are declarations of a `sys` of its own."""
        self.built += 1
        root = self.folder / str(self.built) / app
        package = root / "image/pkg/example.com/shop"
        (package / "extensions").mkdir(parents=True)
        (package / "shop.vsql").write_text(SHOP.format(more=more))
        (package / "extensions/shop.py").write_text(SHOP_CODE.format(version=version, code=code))
        if sys is not None:
            (root / "image/pkg/sys").mkdir()
            (root / "image/pkg/sys/sys.vsql").write_text(sys)
        (root / "descriptor.json").write_text(json.dumps({"Version": version, **descriptor}))
        return root


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path / "shops")
