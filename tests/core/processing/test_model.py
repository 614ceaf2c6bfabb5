from __future__ import annotations

import random
import threading
from collections import Counter

import pytest

from statehold.processing import ProcessingError

ARTICLES = ["pen", "cup", "hat"]


def model(shop, workspaces):
    """Return what the views must be, computed from the logs alone."""
    stock, failures = {}, Counter()
    for workspace in workspaces:
        for event in shop.events(workspace):
            if event.error is not None:
                failures[workspace] += 1
            for cud in event.cuds:
                if cud.table == "shop.Sale" and cud.is_new:
                    sold, count, _ = stock.get((workspace, cud.value.Article), (0, 0, 0))
                    stock[workspace, cud.value.Article] = (sold + cud.value.Amount, count + 1, event.offset)
    return stock, failures


def act(shop, chance, workspace, documents):
    """Do one thing or another, some of which fail."""
    article, amount = chance.choice(ARTICLES), chance.randrange(100)
    choice = chance.random()
    request = shop.request(workspace)
    if choice < 0.6:
        shop.sell(article, amount, workspace=workspace)
    elif choice < 0.7:
        shop.sell(article, amount, "fail", workspace=workspace)
    elif choice < 0.75:
        shop.sell(article, amount, "refuse", workspace=workspace)
    elif choice < 0.8:
        shop.sell(article, amount, "wire", workspace=workspace)
    elif choice < 0.85:
        shop.sell(article, amount, "many", workspace=workspace)
    elif choice < 0.95:
        document = {"sys.ID": 1, "Article": article, "Amount": amount}
        documents.append((workspace, shop.runtime.create(request, "shop.Sale", document).new_ids[1]))
    elif documents:
        where, record = chance.choice(documents)
        shop.runtime.patch(shop.request(where), "shop.Sale", record, {"Amount": amount})


@pytest.mark.parametrize(
    ("partitions", "clients", "turns"),
    [
        (4, 4, 60),
        pytest.param(64, 8, 3000, marks=pytest.mark.soak),
    ],
)
def test_views_are_what_the_log_says(open_shop, partitions, clients, turns, quiet):
    shop = open_shop(parts=partitions, workspaces=partitions)
    errors = []

    def client(number):
        chance, documents = random.Random(number), []
        try:
            for _ in range(turns):
                try:
                    act(shop, chance, chance.randrange(partitions) + 1, documents)
                except ProcessingError as error:
                    if error.status not in (400, 422, 500):
                        raise
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert shop.runtime.wait_for_projectors(timeout=120)
    workspaces = range(1, partitions + 1)
    stock, failures = model(shop, workspaces)
    for workspace in workspaces:
        mine = {article: row for (where, article), row in stock.items() if where == workspace}
        found = shop.rows("Stock", workspace)
        assert {name: (row["Sold"], row["Count"]) for name, row in found.items()} == {
            name: row[:2] for name, row in mine.items()
        }
        found = shop.rows("Turnover", workspace)
        assert {name: (row["Sold"], row["Count"], row["Last"]) for name, row in found.items()} == mine
        counted = {row["Count"] for row in shop.rows("Failures", workspace).values()}
        assert counted == ({failures[workspace]} if failures[workspace] else set())
