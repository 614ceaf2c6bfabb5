"""What the extensions of package bills get of their calls.

Written by `statehold stubs`: what is changed here is lost. Import it for type checkers alone:
`if TYPE_CHECKING: from .calls import RefreshRates`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NotRequired, TypedDict, overload

from statehold.events import Cud, Event
from statehold.extensions.python import Log
from statehold.sdk import Key, Principal, Value

class RefreshRates:
    """Jobs may use HTTP, commands may not: a guest who pays never waits for a foreign server

    JOB bills.RefreshRates
    """
    workspace: int
    time: float
    Http: Http_READ
    AppSecret: AppSecret_GET
    View: RefreshRates_View
    Logger: Logger_INSERT
    log: Log

class OpenBill:
    """COMMAND bills.OpenBill(bills.OpenBillParams)"""
    workspace: int
    time: float
    arg: OpenBillParams
    principal: Principal | None
    offset: int
    TableLocks: TableLocks_GET_INSERT
    View: OpenBill_View
    Record: OpenBill_Record
    Response: Response_INSERT
    def respond(self, status: int, message: str = ...) -> None: ...

class AddDish:
    """COMMAND bills.AddDish(bills.AddDishParams)"""
    workspace: int
    time: float
    arg: AddDishParams
    principal: Principal | None
    offset: int
    TableLocks: TableLocks_GET
    Uniq: AddDish_Uniq
    Record: AddDish_Record
    Response: Response_INSERT
    def respond(self, status: int, message: str = ...) -> None: ...

class PayBill:
    """COMMAND bills.PayBill(bills.BillParams) RETURNS bills.Receipt"""
    workspace: int
    time: float
    arg: BillParams
    principal: Principal | None
    offset: int
    TableLocks: TableLocks_GET_INSERT
    Record: PayBill_Record
    View: PayBill_View
    Response: Response_INSERT
    Result: Result_Receipt_INSERT
    def respond(self, status: int, message: str = ...) -> None: ...

class RememberGuest:
    """COMMAND bills.RememberGuest(UNLOGGED bills.Guest)"""
    workspace: int
    time: float
    arg: None
    principal: Principal | None
    offset: int
    unlogged: Guest
    Guests: Guests_INSERT

class SetPoint:
    """COMMAND bills.SetPoint(bills.SetPointParams)"""
    workspace: int
    time: float
    arg: SetPointParams
    principal: Principal | None
    offset: int
    Scada: Scada_INSERT

class AmountDue:
    """QUERY bills.AmountDue(bills.BillParams) RETURNS bills.Receipt"""
    workspace: int
    time: float
    arg: BillParams
    principal: Principal | None
    Record: AmountDue_Record
    View: AmountDue_View
    Result: Result_Receipt_INSERT
    Response: Response_INSERT
    Logger: Logger_INSERT
    log: Log
    def respond(self, status: int, message: str = ...) -> None: ...

class Earnings:
    """QUERY bills.Earnings(bills.EarningsParams) RETURNS bills.EarningsResult"""
    workspace: int
    time: float
    arg: EarningsParams
    principal: Principal | None
    View: Earnings_View
    Result: Result_EarningsResult_INSERT
    Response: Response_INSERT
    Logger: Logger_INSERT
    log: Log
    def respond(self, status: int, message: str = ...) -> None: ...

class GuestBook:
    """QUERY bills.GuestBook() RETURNS bills.Guest"""
    workspace: int
    time: float
    arg: None
    principal: Principal | None
    Guests: Guests_READ
    Result: Result_Guest_INSERT
    Response: Response_INSERT
    Logger: Logger_INSERT
    log: Log
    def respond(self, status: int, message: str = ...) -> None: ...

class Kitchen:
    """QUERY bills.Kitchen(bills.PointParams) RETURNS bills.PointResult"""
    workspace: int
    time: float
    arg: PointParams
    principal: Principal | None
    Scada: Scada_GET
    Result: Result_PointResult_INSERT
    Response: Response_INSERT
    Logger: Logger_INSERT
    log: Log
    def respond(self, status: int, message: str = ...) -> None: ...

class SeatGuests:
    """Within the command's own commit: whoever got an answer sees the floor as it is

    PROJECTOR bills.SeatGuests
    """
    workspace: int
    time: float
    event: SeatGuestsEvent
    offset: int
    Record: SeatGuests_Record
    View: SeatGuests_View

class CountTurnover:
    """A moment later, at its own pace

    PROJECTOR bills.CountTurnover
    """
    workspace: int
    time: float
    event: CountTurnoverEvent
    offset: int
    Record: CountTurnover_Record
    View: CountTurnover_View

class ReportRefusals:
    """Hears of guests who could not pay, too. A mail is tried again until the server takes it

    PROJECTOR bills.ReportRefusals
    """
    workspace: int
    time: float
    event: ReportRefusalsEvent
    offset: int
    Record: ReportRefusals_Record
    Logger: Logger_INSERT
    SendMail: SendMail_INSERT
    log: Log

class Http_READ:
    """sys.Http: READ.

    One HTTP request, and its answer as the only row.
    Key:    Url text NOT NULL, Method text (GET), Body bytes, Header text (`Name: value`, any number of them),
    HTTPClientTimeoutMilliseconds int64 (20000),
    HandleErrors bool (an error of the transport becomes a row with Error and StatusCode 0)
    Value:  StatusCode int32, Body bytes, Header text (`Name: value`, once for each that came), Error text
    """
    def key(self, *, Url: str, Method: str | None = ..., Body: bytes | None = ..., Header: str | Sequence[str] | None = ..., HTTPClientTimeoutMilliseconds: int | None = ..., HandleErrors: bool | None = ..., WSID: int = ...) -> HttpKey: ...
    @overload
    def read(self, *, Url: str = ..., Method: str | None = ..., Body: bytes | None = ..., Header: str | Sequence[str] | None = ..., HTTPClientTimeoutMilliseconds: int | None = ..., HandleErrors: bool | None = ..., WSID: int = ...) -> Iterator[tuple[HttpKey, HttpValue]]: ...
    @overload
    def read(self, key: HttpKey, /) -> Iterator[tuple[HttpKey, HttpValue]]: ...

class HttpKey(Key, frozen=True):
    """A key of sys.Http."""
    Url: str
    """text, NOT NULL"""
    Method: str | None
    """text"""
    Body: bytes | None
    """bytes"""
    Header: tuple[str, ...]
    """text, any number of them"""
    HTTPClientTimeoutMilliseconds: int | None
    """int64"""
    HandleErrors: bool | None
    """bool"""

class HttpValue(Value, frozen=True):
    """A value of sys.Http."""
    StatusCode: int | None
    """int32"""
    Body: bytes | None
    """bytes"""
    Header: tuple[str, ...]
    """text, any number of them"""
    Error: str | None
    """text"""

class AppSecret_GET:
    """sys.AppSecret: GET.

    A secret of the application.
    Key:    Secret text NOT NULL
    Value:  Content text
    """
    def key(self, *, Secret: str, WSID: int = ...) -> AppSecretKey: ...
    @overload
    def get(self, *, Secret: str, WSID: int = ...) -> AppSecretValue | None: ...
    @overload
    def get(self, key: AppSecretKey, /) -> AppSecretValue | None: ...
    @overload
    def must_get(self, *, Secret: str, WSID: int = ...) -> AppSecretValue: ...
    @overload
    def must_get(self, key: AppSecretKey, /) -> AppSecretValue: ...
    @overload
    def must_not_exist(self, *, Secret: str, WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: AppSecretKey, /) -> None: ...
    def get_many(self, keys: Iterable[AppSecretKey], /) -> list[AppSecretValue | None]: ...

class AppSecretKey(Key, frozen=True):
    """A key of sys.AppSecret."""
    Secret: str
    """text, NOT NULL"""

class AppSecretValue(Value, frozen=True):
    """A value of sys.AppSecret."""
    Content: str | None
    """text"""

class View_Rates_INSERT_UPDATE:
    """sys.View(bills.Rates): INSERT, UPDATE.

    A view is read by its partition key, the inner brackets: all that one bank says
    """
    def key(self, *, Bank: int, Currency: str, WSID: int = ...) -> RatesKey: ...
    @overload
    def insert(self, *, Bank: int, Currency: str, PerEuro: float, WSID: int = ...) -> RatesChange: ...
    @overload
    def insert(self, key: RatesKey, /, *, PerEuro: float) -> RatesChange: ...
    @overload
    def update(self, value: Rates = ..., /, *, Bank: int, Currency: str, PerEuro: float = ..., WSID: int = ...) -> RatesChange: ...
    @overload
    def update(self, key: RatesKey, value: Rates = ..., /, *, PerEuro: float = ...) -> RatesChange: ...
    @overload
    def update(self, value: Rates, key: RatesKey, /, *, PerEuro: float = ...) -> RatesChange: ...

class RatesKey(Key, frozen=True):
    """A key of sys.View(bills.Rates)."""
    Bank: int
    """int32, NOT NULL"""
    Currency: str
    """text(3), NOT NULL"""

class Rates(Value, frozen=True):
    """A view is read by its partition key, the inner brackets: all that one bank says"""
    PerEuro: float
    """float64, NOT NULL"""

class RatesChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: RatesKey
    is_new: bool
    def put(self, *, PerEuro: float = ...) -> None: ...

class RefreshRates_View:
    Rates: View_Rates_INSERT_UPDATE

class Logger_INSERT:
    """sys.Logger: INSERT.

    The log of the host.
    Key:    LogLevel int32 (0 none, 1 error, 2 warning, 3 info, 4 verbose, 5 trace)
    Value:  Message text
    """
    def key(self, *, LogLevel: int | None = ..., WSID: int = ...) -> LoggerKey: ...
    @overload
    def insert(self, *, LogLevel: int | None = ..., Message: str | None = ..., WSID: int = ...) -> LoggerChange: ...
    @overload
    def insert(self, key: LoggerKey, /, *, Message: str | None = ...) -> LoggerChange: ...

class LoggerKey(Key, frozen=True):
    """A key of sys.Logger."""
    LogLevel: int | None
    """int32"""

class LoggerChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: LoggerKey
    is_new: bool
    def put(self, *, Message: str | None = ...) -> None: ...

class OpenBillParams(Value, frozen=True):
    TableNumber: int
    """int32, NOT NULL"""

class TableLocks_GET_INSERT:
    """bills.TableLocks: GET, INSERT.

    Who is serving which table right now: kept in memory, gone when the host stops
    """
    def key(self, *, TableNumber: int, WSID: int = ...) -> TableLocksKey: ...
    @overload
    def get(self, *, TableNumber: int, WSID: int = ...) -> TableLocksValue | None: ...
    @overload
    def get(self, key: TableLocksKey, /) -> TableLocksValue | None: ...
    @overload
    def must_get(self, *, TableNumber: int, WSID: int = ...) -> TableLocksValue: ...
    @overload
    def must_get(self, key: TableLocksKey, /) -> TableLocksValue: ...
    @overload
    def must_not_exist(self, *, TableNumber: int, WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: TableLocksKey, /) -> None: ...
    def get_many(self, keys: Iterable[TableLocksKey], /) -> list[TableLocksValue | None]: ...
    @overload
    def insert(self, *, TableNumber: int, Waiter: str | None = ..., WSID: int = ...) -> TableLocksChange: ...
    @overload
    def insert(self, key: TableLocksKey, /, *, Waiter: str | None = ...) -> TableLocksChange: ...

class TableLocksKey(Key, frozen=True):
    """A key of bills.TableLocks."""
    TableNumber: int
    """int32, NOT NULL"""

class TableLocksValue(Value, frozen=True):
    """A value of bills.TableLocks."""
    Waiter: str | None
    """text"""

class TableLocksChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: TableLocksKey
    is_new: bool
    def put(self, *, Waiter: str | None = ...) -> None: ...

class View_FloorPlan_GET_GETBATCH:
    """sys.View(bills.FloorPlan): GET, GETBATCH.

    The open bill of each table, none where nobody sits. Table 207 is on floor 2
    """
    def key(self, *, Floor: int, TableNumber: int, WSID: int = ...) -> FloorPlanKey: ...
    @overload
    def get(self, *, Floor: int, TableNumber: int, WSID: int = ...) -> FloorPlan | None: ...
    @overload
    def get(self, key: FloorPlanKey, /) -> FloorPlan | None: ...
    @overload
    def must_get(self, *, Floor: int, TableNumber: int, WSID: int = ...) -> FloorPlan: ...
    @overload
    def must_get(self, key: FloorPlanKey, /) -> FloorPlan: ...
    @overload
    def must_not_exist(self, *, Floor: int, TableNumber: int, WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: FloorPlanKey, /) -> None: ...
    def get_many(self, keys: Iterable[FloorPlanKey], /) -> list[FloorPlan | None]: ...

class FloorPlanKey(Key, frozen=True):
    """A key of sys.View(bills.FloorPlan)."""
    Floor: int
    """int32, NOT NULL"""
    TableNumber: int
    """int32, NOT NULL"""

class FloorPlan(Value, frozen=True):
    """The open bill of each table, none where nobody sits. Table 207 is on floor 2"""
    Bill: int | None
    """ref, the id of a record"""
    Waiter: str | None
    """text(255)"""
    Total: int | None
    """money, in ten-thousandths"""

class OpenBill_View:
    FloorPlan: View_FloorPlan_GET_GETBATCH

class Record_Bill_INSERT_UPDATE:
    """sys.Record(bills.Bill): INSERT, UPDATE.

    A bill, and what was served: at the price of that day
    """
    def key(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> BillKey: ...
    @overload
    def insert(self, *, TableNumber: int, Waiter: str, Total: int, ID: int | None = ..., IsSingleton: bool | None = ..., sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., Paid: int | None = ..., PaidIn: str | None = ..., WSID: int = ...) -> BillChange: ...
    @overload
    def insert(self, key: BillKey, /, *, TableNumber: int, Waiter: str, Total: int, sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., Paid: int | None = ..., PaidIn: str | None = ...) -> BillChange: ...
    @overload
    def update(self, value: Bill = ..., /, *, ID: int | None = ..., IsSingleton: bool | None = ..., sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., TableNumber: int = ..., Waiter: str = ..., Total: int = ..., Paid: int | None = ..., PaidIn: str | None = ..., WSID: int = ...) -> BillChange: ...
    @overload
    def update(self, key: BillKey, value: Bill = ..., /, *, sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., TableNumber: int = ..., Waiter: str = ..., Total: int = ..., Paid: int | None = ..., PaidIn: str | None = ...) -> BillChange: ...
    @overload
    def update(self, value: Bill, key: BillKey, /, *, sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., TableNumber: int = ..., Waiter: str = ..., Total: int = ..., Paid: int | None = ..., PaidIn: str | None = ...) -> BillChange: ...

class BillKey(Key, frozen=True):
    """A key of sys.Record(bills.Bill)."""
    ID: int | None
    """ref, the id of a record"""
    IsSingleton: bool | None
    """bool"""

class Bill(Value, frozen=True):
    """A bill, and what was served: at the price of that day"""
    sys_QName: str
    """qname"""
    sys_ID: int
    """ref, the id of a record"""
    sys_ParentID: int | None
    """ref, the id of a record"""
    sys_Container: str | None
    """text"""
    sys_IsActive: bool | None
    """bool"""
    TableNumber: int
    """int32, NOT NULL"""
    Waiter: str
    """text(255), NOT NULL"""
    Total: int
    """money, NOT NULL, in ten-thousandths"""
    Paid: int | None
    """money, in ten-thousandths"""
    PaidIn: str | None
    """text(3)"""

class BillChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: BillKey
    is_new: bool
    def put(self, *, sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., TableNumber: int = ..., Waiter: str = ..., Total: int = ..., Paid: int | None = ..., PaidIn: str | None = ...) -> None: ...

class OpenBill_Record:
    Bill: Record_Bill_INSERT_UPDATE

class Response_INSERT:
    """sys.Response: INSERT.

    How the request is answered, when not as usual.
    Key:    empty
    Value:  StatusCode int32 (200), ErrorMessage text
    """
    def key(self, *, WSID: int = ...) -> ResponseKey: ...
    @overload
    def insert(self, *, StatusCode: int | None = ..., ErrorMessage: str | None = ..., WSID: int = ...) -> ResponseChange: ...
    @overload
    def insert(self, key: ResponseKey, /, *, StatusCode: int | None = ..., ErrorMessage: str | None = ...) -> ResponseChange: ...

class ResponseKey(Key, frozen=True):
    """A key of sys.Response."""

class ResponseChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: ResponseKey
    is_new: bool
    def put(self, *, StatusCode: int | None = ..., ErrorMessage: str | None = ...) -> None: ...

class AddDishParams(Value, frozen=True):
    Bill: int
    """ref, NOT NULL, the id of a record"""
    Dish: str
    """text(20), NOT NULL"""
    Quantity: int
    """int32, NOT NULL"""

class TableLocks_GET:
    """bills.TableLocks: GET.

    Who is serving which table right now: kept in memory, gone when the host stops
    """
    def key(self, *, TableNumber: int, WSID: int = ...) -> TableLocksKey: ...
    @overload
    def get(self, *, TableNumber: int, WSID: int = ...) -> TableLocksValue | None: ...
    @overload
    def get(self, key: TableLocksKey, /) -> TableLocksValue | None: ...
    @overload
    def must_get(self, *, TableNumber: int, WSID: int = ...) -> TableLocksValue: ...
    @overload
    def must_get(self, key: TableLocksKey, /) -> TableLocksValue: ...
    @overload
    def must_not_exist(self, *, TableNumber: int, WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: TableLocksKey, /) -> None: ...
    def get_many(self, keys: Iterable[TableLocksKey], /) -> list[TableLocksValue | None]: ...

class Uniq_Dish_GET:
    """sys.Uniq(bills.Dish): GET.

    The menu
    """
    def key(self, *, Code: str | None = ..., WSID: int = ...) -> DishKey: ...
    @overload
    def get(self, *, Code: str | None = ..., WSID: int = ...) -> Dish | None: ...
    @overload
    def get(self, key: DishKey, /) -> Dish | None: ...
    @overload
    def must_get(self, *, Code: str | None = ..., WSID: int = ...) -> Dish: ...
    @overload
    def must_get(self, key: DishKey, /) -> Dish: ...
    @overload
    def must_not_exist(self, *, Code: str | None = ..., WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: DishKey, /) -> None: ...
    def get_many(self, keys: Iterable[DishKey], /) -> list[Dish | None]: ...

class DishKey(Key, frozen=True):
    """A key of sys.Uniq(bills.Dish)."""
    Code: str | None
    """text(20)"""

class Dish(Value, frozen=True):
    """The menu"""
    ID: int | None
    """int64"""

class AddDish_Uniq:
    Dish: Uniq_Dish_GET

class Record_Dish_GET_GETBATCH:
    """sys.Record(bills.Dish): GET, GETBATCH.

    The menu
    """
    def key(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> DishKey_: ...
    @overload
    def get(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> Dish_ | None: ...
    @overload
    def get(self, key: DishKey_, /) -> Dish_ | None: ...
    @overload
    def must_get(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> Dish_: ...
    @overload
    def must_get(self, key: DishKey_, /) -> Dish_: ...
    @overload
    def must_not_exist(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: DishKey_, /) -> None: ...
    def get_many(self, keys: Iterable[DishKey_], /) -> list[Dish_ | None]: ...

class DishKey_(Key, frozen=True):
    """A key of sys.Record(bills.Dish)."""
    ID: int | None
    """ref, the id of a record"""
    IsSingleton: bool | None
    """bool"""

class Dish_(Value, frozen=True):
    """The menu"""
    sys_QName: str
    """qname"""
    sys_ID: int
    """ref, the id of a record"""
    sys_ParentID: int | None
    """ref, the id of a record"""
    sys_Container: str | None
    """text"""
    sys_IsActive: bool | None
    """bool"""
    Code: str
    """text(20), NOT NULL"""
    Name: str
    """text(255), NOT NULL"""
    Price: int
    """money, NOT NULL, in ten-thousandths"""

class Record_Bill_GET_GETBATCH_INSERT_UPDATE:
    """sys.Record(bills.Bill): GET, GETBATCH, INSERT, UPDATE.

    A bill, and what was served: at the price of that day
    """
    def key(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> BillKey: ...
    @overload
    def get(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> Bill | None: ...
    @overload
    def get(self, key: BillKey, /) -> Bill | None: ...
    @overload
    def must_get(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> Bill: ...
    @overload
    def must_get(self, key: BillKey, /) -> Bill: ...
    @overload
    def must_not_exist(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: BillKey, /) -> None: ...
    def get_many(self, keys: Iterable[BillKey], /) -> list[Bill | None]: ...
    @overload
    def insert(self, *, TableNumber: int, Waiter: str, Total: int, ID: int | None = ..., IsSingleton: bool | None = ..., sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., Paid: int | None = ..., PaidIn: str | None = ..., WSID: int = ...) -> BillChange: ...
    @overload
    def insert(self, key: BillKey, /, *, TableNumber: int, Waiter: str, Total: int, sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., Paid: int | None = ..., PaidIn: str | None = ...) -> BillChange: ...
    @overload
    def update(self, value: Bill = ..., /, *, ID: int | None = ..., IsSingleton: bool | None = ..., sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., TableNumber: int = ..., Waiter: str = ..., Total: int = ..., Paid: int | None = ..., PaidIn: str | None = ..., WSID: int = ...) -> BillChange: ...
    @overload
    def update(self, key: BillKey, value: Bill = ..., /, *, sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., TableNumber: int = ..., Waiter: str = ..., Total: int = ..., Paid: int | None = ..., PaidIn: str | None = ...) -> BillChange: ...
    @overload
    def update(self, value: Bill, key: BillKey, /, *, sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., TableNumber: int = ..., Waiter: str = ..., Total: int = ..., Paid: int | None = ..., PaidIn: str | None = ...) -> BillChange: ...

class Record_BillLine_INSERT_UPDATE:
    """sys.Record(bills.BillLine): INSERT, UPDATE."""
    def key(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> BillLineKey: ...
    @overload
    def insert(self, *, Dish: int, Quantity: int, Price: int, ID: int | None = ..., IsSingleton: bool | None = ..., sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., WSID: int = ...) -> BillLineChange: ...
    @overload
    def insert(self, key: BillLineKey, /, *, Dish: int, Quantity: int, Price: int, sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ...) -> BillLineChange: ...
    @overload
    def update(self, value: BillLine = ..., /, *, ID: int | None = ..., IsSingleton: bool | None = ..., sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., Dish: int = ..., Quantity: int = ..., Price: int = ..., WSID: int = ...) -> BillLineChange: ...
    @overload
    def update(self, key: BillLineKey, value: BillLine = ..., /, *, sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., Dish: int = ..., Quantity: int = ..., Price: int = ...) -> BillLineChange: ...
    @overload
    def update(self, value: BillLine, key: BillLineKey, /, *, sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., Dish: int = ..., Quantity: int = ..., Price: int = ...) -> BillLineChange: ...

class BillLineKey(Key, frozen=True):
    """A key of sys.Record(bills.BillLine)."""
    ID: int | None
    """ref, the id of a record"""
    IsSingleton: bool | None
    """bool"""

class BillLine(Value, frozen=True):
    """A value of sys.Record(bills.BillLine)."""
    sys_QName: str
    """qname"""
    sys_ID: int
    """ref, the id of a record"""
    sys_ParentID: int | None
    """ref, the id of a record"""
    sys_Container: str | None
    """text"""
    sys_IsActive: bool | None
    """bool"""
    Dish: int
    """ref, NOT NULL, the id of a record"""
    Quantity: int
    """int32, NOT NULL"""
    Price: int
    """money, NOT NULL, in ten-thousandths"""

class BillLineChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: BillLineKey
    is_new: bool
    def put(self, *, sys_QName: str | None = ..., sys_ID: int | None = ..., sys_ParentID: int | None = ..., sys_Container: str | None = ..., sys_IsActive: bool | None = ..., Dish: int = ..., Quantity: int = ..., Price: int = ...) -> None: ...

class AddDish_Record:
    Dish: Record_Dish_GET_GETBATCH
    Bill: Record_Bill_GET_GETBATCH_INSERT_UPDATE
    BillLine: Record_BillLine_INSERT_UPDATE

class BillParams(Value, frozen=True):
    Bill: int
    """ref, NOT NULL, the id of a record"""
    Currency: str
    """text(3), NOT NULL"""

class ReceiptDict(TypedDict):
    """A dict that may be returned for Receipt."""
    Total: int
    Currency: str

class PayBill_Record:
    Bill: Record_Bill_GET_GETBATCH_INSERT_UPDATE

class View_Rates_GET_GETBATCH:
    """sys.View(bills.Rates): GET, GETBATCH.

    A view is read by its partition key, the inner brackets: all that one bank says
    """
    def key(self, *, Bank: int, Currency: str, WSID: int = ...) -> RatesKey: ...
    @overload
    def get(self, *, Bank: int, Currency: str, WSID: int = ...) -> Rates | None: ...
    @overload
    def get(self, key: RatesKey, /) -> Rates | None: ...
    @overload
    def must_get(self, *, Bank: int, Currency: str, WSID: int = ...) -> Rates: ...
    @overload
    def must_get(self, key: RatesKey, /) -> Rates: ...
    @overload
    def must_not_exist(self, *, Bank: int, Currency: str, WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: RatesKey, /) -> None: ...
    def get_many(self, keys: Iterable[RatesKey], /) -> list[Rates | None]: ...

class PayBill_View:
    Rates: View_Rates_GET_GETBATCH

class Result_Receipt_INSERT:
    """sys.Result: INSERT.

    What the command or query returns; a query inserts as many as it likes.
    Key:    empty
    Value:  the fields of the type in RETURNS
    """
    def key(self, *, WSID: int = ...) -> ReceiptKey: ...
    @overload
    def insert(self, *, Total: int, Currency: str, WSID: int = ...) -> ReceiptChange: ...
    @overload
    def insert(self, key: ReceiptKey, /, *, Total: int, Currency: str) -> ReceiptChange: ...

class ReceiptKey(Key, frozen=True):
    """A key of sys.Result."""

class Receipt(Value, frozen=True):
    """A value of sys.Result."""
    Total: int
    """money, NOT NULL, in ten-thousandths"""
    Currency: str
    """text(3), NOT NULL"""

class ReceiptChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: ReceiptKey
    is_new: bool
    def put(self, *, Total: int = ..., Currency: str = ...) -> None: ...

class Guest(Value, frozen=True):
    Name: str
    """text(255), NOT NULL"""
    Likes: str | None
    """text(255)"""

class Guests_INSERT:
    """bills.Guests: INSERT.

    What guests like. They may want it forgotten, and the log forgets nothing: so it stands in a table beside it
    """
    def key(self, *, Name: str, WSID: int = ...) -> GuestsKey: ...
    @overload
    def insert(self, *, Name: str, Likes: str | None = ..., WSID: int = ...) -> GuestsChange: ...
    @overload
    def insert(self, key: GuestsKey, /, *, Likes: str | None = ...) -> GuestsChange: ...

class GuestsKey(Key, frozen=True):
    """A key of bills.Guests."""
    Name: str
    """text, NOT NULL"""

class GuestsChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: GuestsKey
    is_new: bool
    def put(self, *, Likes: str | None = ...) -> None: ...

class SetPointParams(Value, frozen=True):
    Device: str
    """text(255), NOT NULL"""
    Point: str
    """text(255), NOT NULL"""
    Reading: float
    """float64, NOT NULL"""

class Scada_INSERT:
    """bills.Scada: INSERT.

    The kitchen's devices: the plugin is in this image, see storages/
    """
    def key(self, *, Device: str, Point: str, WSID: int = ...) -> ScadaKey: ...
    @overload
    def insert(self, *, Device: str, Point: str, Reading: float | None = ..., At: int | None = ..., WSID: int = ...) -> ScadaChange: ...
    @overload
    def insert(self, key: ScadaKey, /, *, Reading: float | None = ..., At: int | None = ...) -> ScadaChange: ...

class ScadaKey(Key, frozen=True):
    """A key of bills.Scada."""
    Device: str
    """text, NOT NULL"""
    Point: str
    """text, NOT NULL"""

class ScadaChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: ScadaKey
    is_new: bool
    def put(self, *, Reading: float | None = ..., At: int | None = ...) -> None: ...

class Record_Bill_GET_GETBATCH:
    """sys.Record(bills.Bill): GET, GETBATCH.

    A bill, and what was served: at the price of that day
    """
    def key(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> BillKey: ...
    @overload
    def get(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> Bill | None: ...
    @overload
    def get(self, key: BillKey, /) -> Bill | None: ...
    @overload
    def must_get(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> Bill: ...
    @overload
    def must_get(self, key: BillKey, /) -> Bill: ...
    @overload
    def must_not_exist(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: BillKey, /) -> None: ...
    def get_many(self, keys: Iterable[BillKey], /) -> list[Bill | None]: ...

class AmountDue_Record:
    Bill: Record_Bill_GET_GETBATCH

class View_Rates_GET_GETBATCH_READ:
    """sys.View(bills.Rates): GET, GETBATCH, READ.

    A view is read by its partition key, the inner brackets: all that one bank says
    """
    def key(self, *, Bank: int, Currency: str, WSID: int = ...) -> RatesKey: ...
    @overload
    def get(self, *, Bank: int, Currency: str, WSID: int = ...) -> Rates | None: ...
    @overload
    def get(self, key: RatesKey, /) -> Rates | None: ...
    @overload
    def must_get(self, *, Bank: int, Currency: str, WSID: int = ...) -> Rates: ...
    @overload
    def must_get(self, key: RatesKey, /) -> Rates: ...
    @overload
    def must_not_exist(self, *, Bank: int, Currency: str, WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: RatesKey, /) -> None: ...
    def get_many(self, keys: Iterable[RatesKey], /) -> list[Rates | None]: ...
    @overload
    def read(self, *, Bank: int, Currency: str = ..., WSID: int = ...) -> Iterator[tuple[RatesKey, Rates]]: ...
    @overload
    def read(self, key: RatesKey, /) -> Iterator[tuple[RatesKey, Rates]]: ...

class AmountDue_View:
    Rates: View_Rates_GET_GETBATCH_READ

class EarningsParams(Value, frozen=True):
    Year: int
    """int32, NOT NULL"""
    Currency: str
    """text(3), NOT NULL"""

class EarningsResultDict(TypedDict):
    """A dict that may be returned for EarningsResult."""
    Month: int
    Day: int
    Bills: int
    Total: int

class View_Turnover_GET_GETBATCH_READ:
    """sys.View(bills.Turnover): GET, GETBATCH, READ.

    What was earned per day
    """
    def key(self, *, Year: int, Month: int, Day: int, WSID: int = ...) -> TurnoverKey: ...
    @overload
    def get(self, *, Year: int, Month: int, Day: int, WSID: int = ...) -> Turnover | None: ...
    @overload
    def get(self, key: TurnoverKey, /) -> Turnover | None: ...
    @overload
    def must_get(self, *, Year: int, Month: int, Day: int, WSID: int = ...) -> Turnover: ...
    @overload
    def must_get(self, key: TurnoverKey, /) -> Turnover: ...
    @overload
    def must_not_exist(self, *, Year: int, Month: int, Day: int, WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: TurnoverKey, /) -> None: ...
    def get_many(self, keys: Iterable[TurnoverKey], /) -> list[Turnover | None]: ...
    @overload
    def read(self, *, Year: int, Month: int = ..., Day: int = ..., WSID: int = ...) -> Iterator[tuple[TurnoverKey, Turnover]]: ...
    @overload
    def read(self, key: TurnoverKey, /) -> Iterator[tuple[TurnoverKey, Turnover]]: ...

class TurnoverKey(Key, frozen=True):
    """A key of sys.View(bills.Turnover)."""
    Year: int
    """int32, NOT NULL"""
    Month: int
    """int32, NOT NULL"""
    Day: int
    """int32, NOT NULL"""

class Turnover(Value, frozen=True):
    """What was earned per day"""
    Bills: int
    """int32, NOT NULL"""
    Total: int
    """money, NOT NULL, in ten-thousandths"""

class Earnings_View:
    Turnover: View_Turnover_GET_GETBATCH_READ
    Rates: View_Rates_GET_GETBATCH_READ

class Result_EarningsResult_INSERT:
    """sys.Result: INSERT.

    What the command or query returns; a query inserts as many as it likes.
    Key:    empty
    Value:  the fields of the type in RETURNS
    """
    def key(self, *, WSID: int = ...) -> EarningsResultKey: ...
    @overload
    def insert(self, *, Month: int, Day: int, Bills: int, Total: int, WSID: int = ...) -> EarningsResultChange: ...
    @overload
    def insert(self, key: EarningsResultKey, /, *, Month: int, Day: int, Bills: int, Total: int) -> EarningsResultChange: ...

class EarningsResultKey(Key, frozen=True):
    """A key of sys.Result."""

class EarningsResult(Value, frozen=True):
    """A value of sys.Result."""
    Month: int
    """int32, NOT NULL"""
    Day: int
    """int32, NOT NULL"""
    Bills: int
    """int32, NOT NULL"""
    Total: int
    """money, NOT NULL, in ten-thousandths"""

class EarningsResultChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: EarningsResultKey
    is_new: bool
    def put(self, *, Month: int = ..., Day: int = ..., Bills: int = ..., Total: int = ...) -> None: ...

class GuestDict(TypedDict):
    """A dict that may be returned for Guest."""
    Name: str
    Likes: NotRequired[str | None]

class Guests_READ:
    """bills.Guests: READ.

    What guests like. They may want it forgotten, and the log forgets nothing: so it stands in a table beside it
    """
    def key(self, *, Name: str, WSID: int = ...) -> GuestsKey: ...
    @overload
    def read(self, *, Name: str = ..., WSID: int = ...) -> Iterator[tuple[GuestsKey, GuestsValue]]: ...
    @overload
    def read(self, key: GuestsKey, /) -> Iterator[tuple[GuestsKey, GuestsValue]]: ...

class GuestsValue(Value, frozen=True):
    """A value of bills.Guests."""
    Likes: str | None
    """text"""

class Result_Guest_INSERT:
    """sys.Result: INSERT.

    What the command or query returns; a query inserts as many as it likes.
    Key:    empty
    Value:  the fields of the type in RETURNS
    """
    def key(self, *, WSID: int = ...) -> GuestKey: ...
    @overload
    def insert(self, *, Name: str, Likes: str | None = ..., WSID: int = ...) -> GuestChange: ...
    @overload
    def insert(self, key: GuestKey, /, *, Name: str, Likes: str | None = ...) -> GuestChange: ...

class GuestKey(Key, frozen=True):
    """A key of sys.Result."""

class GuestChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: GuestKey
    is_new: bool
    def put(self, *, Name: str = ..., Likes: str | None = ...) -> None: ...

class PointParams(Value, frozen=True):
    Device: str
    """text(255), NOT NULL"""
    Point: str
    """text(255), NOT NULL"""

class PointResultDict(TypedDict):
    """A dict that may be returned for PointResult."""
    Reading: NotRequired[float | None]
    At: NotRequired[int | None]

class Scada_GET:
    """bills.Scada: GET.

    The kitchen's devices: the plugin is in this image, see storages/
    """
    def key(self, *, Device: str, Point: str, WSID: int = ...) -> ScadaKey: ...
    @overload
    def get(self, *, Device: str, Point: str, WSID: int = ...) -> ScadaValue | None: ...
    @overload
    def get(self, key: ScadaKey, /) -> ScadaValue | None: ...
    @overload
    def must_get(self, *, Device: str, Point: str, WSID: int = ...) -> ScadaValue: ...
    @overload
    def must_get(self, key: ScadaKey, /) -> ScadaValue: ...
    @overload
    def must_not_exist(self, *, Device: str, Point: str, WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: ScadaKey, /) -> None: ...
    def get_many(self, keys: Iterable[ScadaKey], /) -> list[ScadaValue | None]: ...

class ScadaValue(Value, frozen=True):
    """A value of bills.Scada."""
    Reading: float | None
    """float64"""
    At: int | None
    """int64"""

class Result_PointResult_INSERT:
    """sys.Result: INSERT.

    What the command or query returns; a query inserts as many as it likes.
    Key:    empty
    Value:  the fields of the type in RETURNS
    """
    def key(self, *, WSID: int = ...) -> PointResultKey: ...
    @overload
    def insert(self, *, Reading: float | None = ..., At: int | None = ..., WSID: int = ...) -> PointResultChange: ...
    @overload
    def insert(self, key: PointResultKey, /, *, Reading: float | None = ..., At: int | None = ...) -> PointResultChange: ...

class PointResultKey(Key, frozen=True):
    """A key of sys.Result."""

class PointResult(Value, frozen=True):
    """A value of sys.Result."""
    Reading: float | None
    """float64"""
    At: int | None
    """int64"""

class PointResultChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: PointResultKey
    is_new: bool
    def put(self, *, Reading: float | None = ..., At: int | None = ...) -> None: ...

class SeatGuestsEvent(Event, frozen=True, kw_only=True):
    argument: Any

class SeatGuests_Record:
    Bill: Record_Bill_GET_GETBATCH

class View_FloorPlan_INSERT_UPDATE:
    """sys.View(bills.FloorPlan): INSERT, UPDATE.

    The open bill of each table, none where nobody sits. Table 207 is on floor 2
    """
    def key(self, *, Floor: int, TableNumber: int, WSID: int = ...) -> FloorPlanKey: ...
    @overload
    def insert(self, *, Floor: int, TableNumber: int, Bill: int | None = ..., Waiter: str | None = ..., Total: int | None = ..., WSID: int = ...) -> FloorPlanChange: ...
    @overload
    def insert(self, key: FloorPlanKey, /, *, Bill: int | None = ..., Waiter: str | None = ..., Total: int | None = ...) -> FloorPlanChange: ...
    @overload
    def update(self, value: FloorPlan = ..., /, *, Floor: int, TableNumber: int, Bill: int | None = ..., Waiter: str | None = ..., Total: int | None = ..., WSID: int = ...) -> FloorPlanChange: ...
    @overload
    def update(self, key: FloorPlanKey, value: FloorPlan = ..., /, *, Bill: int | None = ..., Waiter: str | None = ..., Total: int | None = ...) -> FloorPlanChange: ...
    @overload
    def update(self, value: FloorPlan, key: FloorPlanKey, /, *, Bill: int | None = ..., Waiter: str | None = ..., Total: int | None = ...) -> FloorPlanChange: ...

class FloorPlanChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: FloorPlanKey
    is_new: bool
    def put(self, *, Bill: int | None = ..., Waiter: str | None = ..., Total: int | None = ...) -> None: ...

class SeatGuests_View:
    FloorPlan: View_FloorPlan_INSERT_UPDATE

class CountTurnoverEvent(Event, frozen=True, kw_only=True):
    argument: BillParams

class CountTurnover_Record:
    Bill: Record_Bill_GET_GETBATCH

class View_Turnover_GET_GETBATCH_READ_INSERT_UPDATE:
    """sys.View(bills.Turnover): GET, GETBATCH, READ, INSERT, UPDATE.

    What was earned per day
    """
    def key(self, *, Year: int, Month: int, Day: int, WSID: int = ...) -> TurnoverKey: ...
    @overload
    def get(self, *, Year: int, Month: int, Day: int, WSID: int = ...) -> Turnover | None: ...
    @overload
    def get(self, key: TurnoverKey, /) -> Turnover | None: ...
    @overload
    def must_get(self, *, Year: int, Month: int, Day: int, WSID: int = ...) -> Turnover: ...
    @overload
    def must_get(self, key: TurnoverKey, /) -> Turnover: ...
    @overload
    def must_not_exist(self, *, Year: int, Month: int, Day: int, WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: TurnoverKey, /) -> None: ...
    def get_many(self, keys: Iterable[TurnoverKey], /) -> list[Turnover | None]: ...
    @overload
    def read(self, *, Year: int, Month: int = ..., Day: int = ..., WSID: int = ...) -> Iterator[tuple[TurnoverKey, Turnover]]: ...
    @overload
    def read(self, key: TurnoverKey, /) -> Iterator[tuple[TurnoverKey, Turnover]]: ...
    @overload
    def insert(self, *, Year: int, Month: int, Day: int, Bills: int, Total: int, WSID: int = ...) -> TurnoverChange: ...
    @overload
    def insert(self, key: TurnoverKey, /, *, Bills: int, Total: int) -> TurnoverChange: ...
    @overload
    def update(self, value: Turnover = ..., /, *, Year: int, Month: int, Day: int, Bills: int = ..., Total: int = ..., WSID: int = ...) -> TurnoverChange: ...
    @overload
    def update(self, key: TurnoverKey, value: Turnover = ..., /, *, Bills: int = ..., Total: int = ...) -> TurnoverChange: ...
    @overload
    def update(self, value: Turnover, key: TurnoverKey, /, *, Bills: int = ..., Total: int = ...) -> TurnoverChange: ...

class TurnoverChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: TurnoverKey
    is_new: bool
    def put(self, *, Bills: int = ..., Total: int = ...) -> None: ...

class CountTurnover_View:
    Turnover: View_Turnover_GET_GETBATCH_READ_INSERT_UPDATE

class ReportRefusalsEvent(Event, frozen=True, kw_only=True):
    argument: BillParams | None

class Record_Settings_GET_GETBATCH:
    """sys.Record(bills.Settings): GET, GETBATCH.

    There is one of it. Who is to hear of guests who could not pay has an address in it
    """
    def key(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> SettingsKey: ...
    @overload
    def get(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> Settings | None: ...
    @overload
    def get(self, key: SettingsKey, /) -> Settings | None: ...
    @overload
    def must_get(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> Settings: ...
    @overload
    def must_get(self, key: SettingsKey, /) -> Settings: ...
    @overload
    def must_not_exist(self, *, ID: int | None = ..., IsSingleton: bool | None = ..., WSID: int = ...) -> None: ...
    @overload
    def must_not_exist(self, key: SettingsKey, /) -> None: ...
    def get_many(self, keys: Iterable[SettingsKey], /) -> list[Settings | None]: ...

class SettingsKey(Key, frozen=True):
    """A key of sys.Record(bills.Settings)."""
    ID: int | None
    """ref, the id of a record"""
    IsSingleton: bool | None
    """bool"""

class Settings(Value, frozen=True):
    """There is one of it. Who is to hear of guests who could not pay has an address in it"""
    sys_QName: str
    """qname"""
    sys_ID: int
    """ref, the id of a record"""
    sys_ParentID: int | None
    """ref, the id of a record"""
    sys_Container: str | None
    """text"""
    sys_IsActive: bool | None
    """bool"""
    Email: str | None
    """text(255)"""

class ReportRefusals_Record:
    Settings: Record_Settings_GET_GETBATCH

class SendMail_INSERT:
    """sys.SendMail: INSERT.

    Mail by SMTP. GET sends at once and says how it went. INSERT sends when the extension has returned;
    it is here for applications made before GET was.
    Key:    Host text NOT NULL, Port int32 NOT NULL, From text NOT NULL,
    To text NOT NULL (any number of them), CC text and BCC text (any number of them),
    Subject text, Body text (HTML), Username text, Password text
    Value:  Success bool, ErrorMessage text; of an intent: none
    """
    def key(self, *, Host: str, Port: int, From: str, To: str | Sequence[str], CC: str | Sequence[str] | None = ..., BCC: str | Sequence[str] | None = ..., Subject: str | None = ..., Body: str | None = ..., Username: str | None = ..., Password: str | None = ..., WSID: int = ...) -> SendMailKey: ...
    @overload
    def insert(self, *, Host: str, Port: int, From: str, To: str | Sequence[str], CC: str | Sequence[str] | None = ..., BCC: str | Sequence[str] | None = ..., Subject: str | None = ..., Body: str | None = ..., Username: str | None = ..., Password: str | None = ..., Success: bool | None = ..., ErrorMessage: str | None = ..., WSID: int = ...) -> SendMailChange: ...
    @overload
    def insert(self, key: SendMailKey, /, *, Success: bool | None = ..., ErrorMessage: str | None = ...) -> SendMailChange: ...

class SendMailKey(Key, frozen=True):
    """A key of sys.SendMail."""
    Host: str
    """text, NOT NULL"""
    Port: int
    """int32, NOT NULL"""
    From: str
    """text, NOT NULL"""
    To: tuple[str, ...]
    """text, NOT NULL, any number of them"""
    CC: tuple[str, ...]
    """text, any number of them"""
    BCC: tuple[str, ...]
    """text, any number of them"""
    Subject: str | None
    """text"""
    Body: str | None
    """text"""
    Username: str | None
    """text"""
    Password: str | None
    """text"""

class SendMailChange:
    """A change that is asked for: `put` sets further fields until the function returns."""
    key: SendMailKey
    is_new: bool
    def put(self, *, Success: bool | None = ..., ErrorMessage: str | None = ...) -> None: ...
