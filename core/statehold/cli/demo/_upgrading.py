from __future__ import annotations

import shutil
import threading
import time
from itertools import groupby
from typing import Self

from statehold.cli.demo._client import Client
from statehold.cli.demo._serving import APP, Restaurant
from statehold.cli.demo._teller import Teller
from statehold.hosting import AppVersion

#: How many answers of each version are waited for.
_ANSWERS = 20


class Guests:
    """Somebody who asks what a bill comes to, again and again, while a `with` block runs.

    Attributes:
        totals: what was answered, in order; 0 for an answer that was none.
        slowest: how many seconds the slowest answer took.

    """

    def __init__(self, client: Client, path: str, bill: int) -> None:
        self.totals: list[int] = []
        self.slowest = 0.0
        self._client, self._path = client, path
        self._args = {"Bill": bill, "Currency": "EUR"}
        self._more = threading.Condition()
        self._stop = False
        self._thread = threading.Thread(target=self._ask, name="demo-guests", daemon=True)

    def wait(self, count: int) -> None:
        """Return when *count* more answers have come, or after ten seconds."""
        with self._more:
            end = len(self.totals) + count
            self._more.wait_for(lambda: len(self.totals) >= end, timeout=10)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop:
            asked = time.perf_counter()
            status, document = self._client.ask("GET", self._path, args=self._args)
            self.slowest = max(self.slowest, time.perf_counter() - asked)
            total = document["results"][0]["Total"] if status == 200 else 0
            with self._more:
                self.totals.append(total)
                self._more.notify_all()


def upgrade(teller: Teller, place: Restaurant) -> None:
    """Deploy version 2 while somebody keeps asking."""
    teller.step(
        "Version 2, while calls go on",
        """Version 2 charges 10 % for service, and its plugin smooths the readings of the oven. It has the
        same modules as version 1; for a moment both are open in one process. Ada's next guests keep asking
        what they owe, and the host changes the version under them:""",
    )
    table = {"args": {"TableNumber": 3}}
    opened = teller.ask(place.ada, "POST", f"{place.here}/commands/bills.OpenBill", table)
    bill: int = opened["newIDs"]["1"]
    order = {"Bill": bill, "Dish": "pizza", "Quantity": 1}
    teller.ask(place.ada, "POST", f"{place.here}/commands/bills.AddDish", {"args": order})
    teller.show("cp -r acme.bills/version-2/. acme.bills/")
    shutil.copytree("acme.bills/version-2", "acme.bills", dirs_exist_ok=True)
    first = place.host.app(APP).current
    with place.ada.again() as guests, Guests(guests, f"{place.here}/queries/bills.AmountDue", bill) as asking:
        asking.wait(_ANSWERS)
        teller.run(f"statehold deploy acme.bills --to {place.server.url}", says="acme.bills 2 is current")
        asking.wait(_ANSWERS)
    parts = [(total, len(list(same))) for total, same in groupby(asking.totals)]
    teller.expect([total for total, _ in parts] == [120000, 132000], f"both prices in turn, got {parts}")
    (before, old), (after, new) = parts
    teller.note(
        f"{old + new} answers meanwhile: {old} said {before}, then {new} said {after}. None failed, the "
        f"slowest took {asking.slowest * 1000:.0f} ms."
    )
    report(teller, first)


def remove(teller: Teller, place: Restaurant) -> None:
    """Stop the server, and undeploy the application."""
    teller.step(
        "Stop and remove it",
        """A server that is told to stop answers what is in flight, and takes no more. Undeploying frees what
        is left; logs, records and rows stay in the data folder.""",
    )
    versions = place.host.app(APP).versions
    place.stop.close()
    teller.show("kill %1                         # the server")
    teller.note("stopped")
    teller.run("statehold undeploy acme.bills", says="acme.bills is gone")
    for version in versions:
        report(teller, version)


def report(teller: Teller, version: AppVersion) -> None:
    """Tell what became of a version, once its last call has returned."""
    freed = version.wait_freed(10)
    problems = (*freed.problems, *freed.survivors)
    teller.expect(not problems, f"version {freed.version} to be freed without a trace, got {problems}")
    teller.note(
        f"Version {freed.version}: {freed.storages} storages freed, nothing of its code and plugin is left."
    )
