from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from statehold.events import PartitionData, RowCache, Schemas, Unit, allocate_workspace, create_workspace
from statehold.rows import MemoryDriver, RowDriver, RowStore, SqliteDriver
from statehold_vsql import compile_app

SHOP = """
APPLICATION shop();

WORKSPACE ShopWS (
    DESCRIPTOR ShopDescriptor (Title varchar NOT NULL);

    TABLE Settings INHERITS sys.CSingleton (Theme text);
    TABLE Customer INHERITS sys.CDoc (
        Name text NOT NULL CHECK '^[A-Za-z ]+$',
        City text NOT NULL DEFAULT 'Bern',
        Card bytes,
        UNIQUE (Name, City)
    );
    TABLE Bill INHERITS sys.WDoc (
        Number int32 NOT NULL,
        Customer ref(Customer),
        Previous ref,
        Total money,
        Lines TABLE Line (
            Dish text NOT NULL,
            Price money,
            Notes TABLE Note (Text text)
        ),
        UNIQUEFIELD Number
    );
    TABLE Order INHERITS sys.ODoc (
        Number int32 NOT NULL,
        Customer ref(Customer),
        Items TABLE Item (Dish text, Replaces ref)
    );

    TYPE Pay (Number int32 NOT NULL, Tip money, Parts Part);
    TYPE Part (Currency varchar(3) NOT NULL, Amount money NOT NULL);

    VIEW Turnover (
        Year int32, Day int32, Currency text, Total money, Count int64,
        PRIMARY KEY ((Year), Day, Currency)
    ) AS RESULT OF Count;
    VIEW Names (Kind int32, Name varchar(2000), Number int64, PRIMARY KEY ((Kind), Name)) AS RESULT OF Index;

    EXTENSION ENGINE BUILTIN (
        COMMAND PayBill(Pay) INTENTS(sys.Record(Bill));
        COMMAND PlaceOrder(Order);
        COMMAND Other;

        SYNC PROJECTOR Count AFTER EXECUTE ON PayBill INTENTS(sys.View(Turnover));
        SYNC PROJECTOR Index AFTER INSERT OR UPDATE ON Bill INTENTS(sys.View(Names));
        PROJECTOR OnPay AFTER EXECUTE WITH PARAM ON Pay INTENTS(sys.View(Turnover));
        PROJECTOR OnFlag AFTER ACTIVATE OR DEACTIVATE ON Customer INTENTS(sys.View(Names));
        PROJECTOR OnAny AFTER INSERT ON (sys.WRecord) INTENTS(sys.View(Names));
        PROJECTOR OnOrder AFTER INSERT ON Order INTENTS(sys.View(Names));
        PROJECTOR Failures AFTER EXECUTE ON PayBill INTENTS(sys.View(Names)) INCLUDING ERRORS;
        PROJECTOR BillFailures AFTER UPDATE ON Bill INTENTS(sys.View(Names)) INCLUDING ERRORS;
    );
);

WORKSPACE EmptyWS (DESCRIPTOR EmptyDescriptor ());
"""

_SYS = files("statehold_sys").joinpath("sys.vsql").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def schemas_of() -> Callable[[str], Schemas]:
    """Compiles the declarations of an app."""

    def schemas_of(text: str) -> Schemas:
        result = compile_app({"sys": {"sys.vsql": _SYS}, "example.org/shop": {"shop.vsql": text}})
        assert result.appdef is not None, [str(one) for one in result.diagnostics]
        return Schemas(result.appdef)

    return schemas_of


@pytest.fixture(scope="session")
def shop(schemas_of: Callable[[str], Schemas]) -> Schemas:
    return schemas_of(SHOP)


@pytest.fixture(scope="session")
def shop_text() -> str:
    return SHOP


@pytest.fixture(params=["memory", "sqlite"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RowDriver]:
    made: RowDriver = (
        MemoryDriver() if request.param == "memory" else SqliteDriver(tmp_path, durability="relaxed")
    )
    with made:
        yield made


@pytest.fixture
def store(driver: RowDriver) -> RowStore:
    return driver.create("example.shop")


@pytest.fixture
def data(store: RowStore) -> PartitionData:
    return PartitionData(store, 0, RowCache(store))


@pytest.fixture
def new_workspace(data: PartitionData, shop: Schemas) -> Callable[..., int]:
    """Makes a workspace, by default a shop, and returns its id."""

    def new_workspace(kind: str = "shop.ShopWS", **options: object) -> int:
        workspace = allocate_workspace(data.store)
        descriptor = {"Title": "Corner"} if kind == "shop.ShopWS" else {}
        given = {"name": "corner", "registered_at": 1, "descriptor": descriptor, **options}
        unit = data.begin(shop)
        create_workspace(unit, workspace, kind=kind, **given)
        unit.commit()
        return workspace

    return new_workspace


@pytest.fixture
def ws(new_workspace: Callable[..., int]) -> int:
    """A shop."""
    return new_workspace()


@pytest.fixture
def unit(data: PartitionData, shop: Schemas) -> Unit:
    return data.begin(shop)
