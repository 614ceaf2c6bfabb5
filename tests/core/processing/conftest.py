from __future__ import annotations

import json
import logging
import sys
import threading
import types
from importlib.resources import files

import pytest

from statehold.hosting import Host
from statehold.images import build_image
from statehold.processing import SYSTEM, Request, Runtime, Settings
from statehold.rows import MemoryDriver
from statehold_vsql import compile_app

VSQL = """
APPLICATION shop();
DECLARE PrintsPerHour int DEFAULT 1000;

STATESTORAGE ENGINE PYPLUGIN (
  STORAGE Wire (
    GET    SCOPE(COMMANDS, QUERIES, PROJECTORS, JOBS),
    INSERT SCOPE(COMMANDS, PROJECTORS, JOBS)
  )
  KEY (To text NOT NULL) VALUE (Text text)
)

ALTER WORKSPACE sys.AppWorkspaceWS (
  USE WORKSPACE ShopWS;

  TABLE Article INHERITS sys.CDoc (
    Code varchar(20) NOT NULL CHECK '^[a-z]+$', Name text, Price money, Photo bytes, Likes ref(Article),
    Tags TABLE ArticleTag INHERITS sys.CRecord (
      Word varchar NOT NULL, Kind TABLE TagKind INHERITS sys.CRecord (N int32)
    ),
    UNIQUE (Code)
  );
  TABLE Hours INHERITS sys.CSingleton (Open int32, Close int32);
  TABLE Sale INHERITS sys.WDoc (Article text NOT NULL, Amount int64 NOT NULL);
  TABLE Paper INHERITS sys.ODoc (Text text NOT NULL);

  VIEW Stock (Article text(40) NOT NULL, Zone int32 NOT NULL, Sold int64, Count int64,
    PRIMARY KEY ((Zone), Article)) AS RESULT OF CountSync;
  VIEW Turnover (Zone int32 NOT NULL, Article text(40) NOT NULL, Sold int64, Count int64, Last int64,
    PRIMARY KEY ((Zone), Article)) AS RESULT OF CountAsync;
  VIEW Failures (Zone int32 NOT NULL, Command text(40) NOT NULL, Count int64, Message text,
    PRIMARY KEY ((Zone), Command)) AS RESULT OF CountErrors;
  VIEW Beats (Zone int32 NOT NULL, Number int32 NOT NULL, At int64, Count int64,
    PRIMARY KEY ((Zone), Number)) AS RESULT OF Tick;

  TYPE SellParams (Article text(40) NOT NULL, Amount int64 NOT NULL, Mode text);
  TYPE Receipt (Total int64, Word text);
  TYPE Secret (Word text);
  TYPE Many (Count int32 NOT NULL);
  TYPE Number (N int32, Text text, Article ref(Article), Data bytes);

  EXTENSION ENGINE PYTHON (
    COMMAND Sell(SellParams, UNLOGGED Secret)
      STATE(sys.View(Stock), Wire) INTENTS(sys.Record(Sale), sys.Response, Wire, sys.Logger) RETURNS Receipt;
    COMMAND Print(Paper);
    COMMAND Anything(any) RETURNS any;
    COMMAND Nothing;
    QUERY Numbers(Many) RETURNS Number;
    QUERY Whatever RETURNS any;
    QUERY Look STATE(sys.View(Stock), sys.QueryContext) RETURNS Receipt;
    SYNC PROJECTOR CountSync AFTER INSERT ON Sale STATE(sys.View(Stock)) INTENTS(sys.View(Stock));
    PROJECTOR CountAsync AFTER INSERT ON Sale
      STATE(sys.Event, sys.View(Turnover)) INTENTS(sys.View(Turnover));
    PROJECTOR Announce AFTER EXECUTE ON Sell INTENTS(Wire);
    PROJECTOR CountErrors AFTER EXECUTE ON Sell
      STATE(sys.View(Failures)) INTENTS(sys.View(Failures)) INCLUDING ERRORS;
    JOB Tick '@every 1m' STATE(sys.JobContext, sys.View(Beats)) INTENTS(sys.View(Beats), Wire);
    %(extensions)s
  );

  RATE Prints PrintsPerHour PER HOUR;
  LIMIT Paper1 EXECUTE ON COMMAND Print WITH RATE Prints;
  ROLE Clerk; ROLE Reader; ROLE Boss;
  GRANT EXECUTE ON COMMAND Sell TO Clerk;
  GRANT EXECUTE ON QUERY Numbers TO Clerk;
  GRANT SELECT ON ALL TABLES TO Clerk;
  GRANT INSERT, UPDATE ON TABLE Article TO Clerk;
  GRANT SELECT(Code, Price) ON TABLE Article TO Reader;
  GRANT SELECT(Zone, Article, Sold) ON VIEW Stock TO Reader;
  GRANT ALL ON ALL TABLES TO Boss;
  GRANT SELECT ON ALL VIEWS TO Boss;
  %(access)s
);

WORKSPACE ShopWS (
  DESCRIPTOR Shop (City varchar NOT NULL);
  USE WORKSPACE ShopWS;
  TABLE Chair INHERITS sys.CDoc (Legs int32);
  EXTENSION ENGINE PYTHON ( COMMAND Sit; );
  ROLE Guest;
  GRANT EXECUTE ON COMMAND Sit TO sys.WorkspaceOwner;
);
"""

CODE = '''
"""All that the shop does; `shop_probe` is how a test looks in, and interferes."""

import shop_probe as probe

from statehold.sdk import extension


@extension
def sell(call):
    probe.call("sell", call)
    mode = call.arg.Mode
    if mode == "fail":
        raise ValueError("told to fail")
    if mode == "refuse":
        return call.respond(422, "told to refuse")
    if mode == "wire":
        call.Wire.insert(To=call.arg.Article, Text=str(call.arg.Amount))
    call.Record.Sale.insert(sys_ID=1, Article=call.arg.Article, Amount=call.arg.Amount)
    if mode == "many":
        for number in range(2, 200):
            call.Record.Sale.insert(sys_ID=number, Article=call.arg.Article, Amount=1)
    row = call.View.Stock.get(Zone=1, Article=call.arg.Article)
    word = call.unlogged.Word if call.unlogged else None
    return {"Total": (row.Sold if row else 0) + call.arg.Amount, "Word": word}


@extension("Print")
def print_(call):
    pass


@extension
def anything(call):
    return {"got": call.arg}


@extension
def nothing(call):
    probe.call("nothing", call)


@extension
def numbers(call):
    probe.call("numbers", call)
    for n in range(call.arg.Count):
        probe.call("number", n)
        yield {"N": n, "Text": "odd" if n % 2 else "even", "Data": bytes([n % 256])}


@extension
def whatever(call):
    for n in range(3):
        yield {"N": n, "deep": [n]}


@extension
def look(call):
    yield {"Total": sum(row.Sold for _, row in call.View.Stock.read(Zone=1))}


def count(call, view, **more):
    for cud in call.event.cuds:
        if cud.table == "shop.Sale":
            sale = cud.value
            key = view.key(Zone=1, Article=sale.Article)
            row = view.get(key)
            sold, times = (row.Sold, row.Count) if row else (0, 0)
            view.insert(key, Sold=sold + sale.Amount, Count=times + 1, **more)


@extension
def count_sync(call):
    probe.call("count_sync", call)
    count(call, call.View.Stock)


@extension
def count_async(call):
    probe.call("count_async", call)
    count(call, call.View.Turnover, Last=call.event.offset)


@extension
def announce(call):
    probe.call("announce", call)
    if call.event.argument.Mode == "announce":
        call.Wire.insert(To="all", Text=call.event.argument.Article)


@extension
def count_errors(call):
    if call.event.error is not None:
        key = call.View.Failures.key(Zone=1, Command=call.event.error.command)
        row = call.View.Failures.get(key)
        call.View.Failures.insert(key, Count=(row.Count if row else 0) + 1, Message=call.event.error.message)


@extension
def tick(call):
    probe.call("tick", call)
    key = call.View.Beats.key(Zone=1, Number=1)
    row = call.View.Beats.get(key)
    call.View.Beats.insert(key, At=int(call.time), Count=(row.Count if row else 0) + 1)


@extension
def sit(call):
    pass
'''

WIRE = """
import shop_probe as probe

from statehold.sdk import Field, Operation, Provider, Rank


class Wire:
    def get(self, key):
        return None

    def value_to_insert(self, key, value):
        return value

    def validate(self, items):
        probe.call("validate", items)

    def apply_batch(self, items):
        probe.call("apply", items)
        probe.sent.extend((item.key.To, item.value.Text) for item in items)

    def free(self):
        pass


wire = Provider(
    name="Wire",
    open=lambda ctx: Wire(),
    operations=[Operation.GET, Operation.INSERT],
    key=[Field("To", "text", required=True)],
    value=[Field("Text", "text")],
)
"""

PYPROJECT = """
[project]
name = "shop-wire"
version = "%s"

[project.entry-points."statehold.storages"]
Wire = "shop_wire:wire"
"""


class Probe(types.ModuleType):
    """What the code of the shop calls, and a test looks into."""

    def __init__(self):
        super().__init__("shop_probe")
        self.hooks = {}
        self.calls = []
        self.sent = []
        self.lock = threading.Lock()

    def call(self, name, what):
        with self.lock:
            self.calls.append(name)
        hook = self.hooks.get(name)
        if hook is not None:
            hook(what)


@pytest.fixture
def probe(monkeypatch):
    probe = Probe()
    monkeypatch.setitem(sys.modules, "shop_probe", probe)
    return probe


def write_shop(folder, version="1", *, parts=2, workspaces=4, extensions="", access="", code="", **more):
    """Write the application folder of the shop, build the image, and return where it is."""
    root = folder / f"source-{version}" / "acme.shop"
    package = root / "image/pkg/example.com/shop"
    (package / "extensions").mkdir(parents=True)
    (package / "storages/shop_wire").mkdir(parents=True)
    (package / "shop.vsql").write_text(VSQL % {"extensions": extensions, "access": access})
    (package / "extensions/shop.py").write_text(CODE + code)
    (package / "storages/pyproject.toml").write_text(PYPROJECT % version)
    (package / "storages/shop_wire/__init__.py").write_text(WIRE)
    descriptor = {"Version": version, "NumParts": parts, "NumAppWorkspaces": workspaces} | more
    (root / "descriptor.json").write_text(json.dumps(descriptor))
    return build_image(root, folder / f"shop-{version}.shi")


@pytest.fixture
def image(tmp_path):
    def image(version="1", **more):
        return write_shop(tmp_path / "images", version, **more)

    return image


class Shop:
    """A host with the shop, and a runtime; what a test does with them, in few words."""

    def __init__(self, host, runtime):
        self.host = host
        self.runtime = runtime

    def request(self, workspace=1, principal=SYSTEM, **more):
        return Request(app="acme.shop", workspace=workspace, principal=principal, **more)

    def sell(self, article="pen", amount=1, mode=None, *, unlogged=None, **more):
        args = {"Article": article, "Amount": amount} | ({"Mode": mode} if mode else {})
        return self.runtime.command(self.request(**more), "shop.Sell", args, unlogged=unlogged)

    def rows(self, view, workspace=1):
        rows = self.runtime.view(self.request(workspace), f"shop.{view}", constraints={"where": {"Zone": 1}})
        return {row[next(n for n in ("Article", "Command", "Number") if n in row)]: row for row in rows}

    def events(self, workspace=1):
        app = self.host.app("acme.shop")
        with app.borrow(workspace % len(app.current.partitions)) as partition:
            return list(partition.data.reader(partition.schemas).events(workspace))

    def caught_up(self):
        return self.runtime.wait_for_projectors(timeout=60)


@pytest.fixture
def open_shop(tmp_path, image, probe):
    """Return what opens a shop; whatever is open in the end is closed, and must have left no thread."""
    shops = []

    def open_shop(*, deploy=True, rows=None, memory=True, host=None, runtime=None, **more):
        before = set(threading.enumerate())
        driver = rows if rows is not None else MemoryDriver() if memory else None
        opened = Host(tmp_path / "data", environ={}, rows=driver, **(host or {}))
        if deploy:
            opened.deploy(image(**more))
        settings = runtime or {}
        if not isinstance(settings.get("settings"), Settings):
            settings = {**settings, "settings": Settings(**settings.get("settings", {}))}
        shop = Shop(opened, Runtime(opened, **settings))
        shop.before = before
        shops.append(shop)
        return shop

    yield open_shop
    for shop in shops:
        shop.runtime.close()
        shop.host.close()
    left = [one.name for one in threading.enumerate() if shops and one not in shops[0].before]
    ours = ("statehold-lane", "statehold-worker", "statehold-timer")
    assert not [name for name in left if name.startswith(ours)]


@pytest.fixture
def shop(open_shop):
    return open_shop()


@pytest.fixture
def quiet():
    """Keep the runtime's own log out of the test's output."""
    logger = logging.getLogger("statehold.runtime")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def compiled():
    sys_vsql = files("statehold_sys").joinpath("sys.vsql").read_text()

    def compiled(text, **more):
        packages = {"sys": {"sys.vsql": sys_vsql}, "example.org/shop": {"shop.vsql": text}, **more}
        result = compile_app(packages)
        assert result.appdef is not None, [str(one) for one in result.diagnostics]
        return result.appdef

    return compiled
