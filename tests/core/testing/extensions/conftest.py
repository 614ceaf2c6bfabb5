from __future__ import annotations

from pathlib import Path

import pytest

from statehold.testing.extensions import Project, Stage

VSQL = """
APPLICATION shop();
SECRET Bank text;

STATESTORAGE ENGINE BUILTIN (
  STORAGE Stock (
    GET SCOPE(COMMANDS, QUERIES, JOBS), READ SCOPE(QUERIES, JOBS), INSERT SCOPE(COMMANDS, JOBS),
    UPDATE SCOPE(COMMANDS)
  )
  KEY (Shelf text NOT NULL, Name text NOT NULL) VALUE (Amount int32 NOT NULL, Note text)
  WITH PROVIDER=Table;
)

ALTER WORKSPACE sys.AppWorkspaceWS (
  VIEW Rates (Bank int32 NOT NULL, Currency varchar(3) NOT NULL, Rate float64, PRIMARY KEY ((Bank), Currency))
    AS RESULT OF Fetch;
  EXTENSION ENGINE PYTHON (
    JOB Fetch '@every 1h'
      STATE(sys.Http, sys.AppSecret, sys.SendMail)
      INTENTS(sys.View(Rates), sys.SendMail, sys.Logger);
  );
);

WORKSPACE ShopWS (
  DESCRIPTOR Shop (Name varchar NOT NULL, Open bool);
  TYPE SellParams (Shelf varchar NOT NULL, Name varchar NOT NULL, Amount int32 NOT NULL);
  TYPE Sold (Left int32 NOT NULL);
  TABLE Sale INHERITS sys.WDoc (
    Code varchar(10) NOT NULL, Amount int32,
    UNIQUE (Code),
    Lines TABLE SaleLine INHERITS sys.WRecord (Text varchar NOT NULL)
  );
  TABLE Customer INHERITS sys.CDoc (Name varchar NOT NULL);
  VIEW Sales (Year int32 NOT NULL, Month int32 NOT NULL, Amount int32, PRIMARY KEY ((Year), Month))
    AS RESULT OF Count;
  EXTENSION ENGINE PYTHON (
    COMMAND Sell(SellParams)
      STATE(Stock, sys.Record(Sale), sys.RequestSubject)
      INTENTS(Stock, sys.Record(Sale), sys.Response) RETURNS Sold;
    COMMAND Remember(UNLOGGED SellParams) INTENTS(Stock);
    QUERY Find(SellParams) STATE(Stock, sys.View(Sales)) RETURNS Sold;
    QUERY Ask(any) RETURNS any;
    PROJECTOR Count AFTER EXECUTE ON Sell STATE(sys.Record(Sale), sys.View(Sales)) INTENTS(sys.View(Sales));
  );
);
"""

CODE = """
from statehold.sdk import extension

@extension
def sell(call):
    arg = call.arg
    stock = call.Stock.must_get(Shelf=arg.Shelf, Name=arg.Name)
    if stock.Amount < arg.Amount:
        return call.respond(409, f"only {stock.Amount} left")
    call.Stock.update(stock, Shelf=arg.Shelf, Name=arg.Name, Amount=stock.Amount - arg.Amount, Note=None)
    call.Record.Sale.insert(sys_ID=1, Code=arg.Name, Amount=arg.Amount)
    return {"Left": stock.Amount - arg.Amount}

@extension
def remember(call):
    call.Stock.insert(Shelf="x", Name=call.unlogged.Name, Amount=call.offset)

@extension
def find(call):
    for key, stock in call.Stock.read(Shelf=call.arg.Shelf):
        yield {"Left": stock.Amount}
    for key, sales in call.View.Sales.read(Year=2026):
        yield {"Left": sales.Amount}

@extension
def ask(call):
    return call.arg

@extension
def count(call):
    for cud in call.event.cuds:
        sale = call.Record.Sale.must_get(ID=cud.id)
        row = call.View.Sales.get(Year=2026, Month=1)
        call.View.Sales.insert(Year=2026, Month=1, Amount=(row.Amount if row else 0) + sale.Amount)

@extension
def fetch(call):
    url = call.AppSecret.must_get(Secret="Bank").Content
    for _, answer in call.Http.read(Url=url, Method="POST", Body=b"?", Header=["A: b"], HandleErrors=True):
        if answer.Error:
            call.log.error("%s at %d", answer.Error, call.time)
        else:
            call.View.Rates.insert(Bank=1, Currency=answer.Body.decode(), Rate=answer.StatusCode)
            mail = dict(Host="h", Port=1, From="a@b.test", To=["c@d.test"], Subject="s")
            sent = call.SendMail.get(**mail)
            call.log.info("sent: %s %s", sent.Success, sent.ErrorMessage)
            call.SendMail.insert(**mail)
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects") / "acme.shop"
    package = folder / "image" / "pkg" / "acme.example" / "shop"
    (package / "extensions").mkdir(parents=True)
    (folder / "descriptor.json").write_text("{}")
    (package / "shop.vsql").write_text(VSQL)
    (package / "extensions" / "sales.py").write_text(CODE)
    return folder


@pytest.fixture(scope="module")
def project(folder: Path):
    with Project(folder) as project:
        yield project


@pytest.fixture
def app(project: Project) -> Stage:
    with project.stage() as stage:
        yield stage
