from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from statehold.events import PartitionData, replay
from statehold.rows import MemoryDriver

SELLING = Path(__file__).with_name("selling.py")
PARTITIONS = 2
WORKSPACES = 4


def sell_until_killed(folder, turn, acks):
    """Let another process sell, kill it when it has said so many times that it sold; return what it said."""
    child = subprocess.Popen(
        [sys.executable, str(SELLING), str(folder), str(turn)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = [line for _, line in zip(range(acks), child.stdout, strict=False)]
        assert child.poll() is None, "it ended by itself: its output says why"
        child.kill()
        said += child.stdout.readlines()
    finally:
        child.kill()
        child.wait(60)
        child.stdin.close()
        child.stdout.close()
    # The last line may be cut off in the middle: then nobody has read it.
    return [tuple(line.split()) for line in said if line.endswith("\n")]


def logged(shop):
    """Return workspace, article and amount of all that was sold, as the logs say."""
    return [
        (str(workspace), event.argument.Article, event.argument.Amount)
        for workspace in range(1, WORKSPACES + 1)
        for event in shop.events(workspace)
        if event.name == "shop.Sell"
    ]


def check(shop, acknowledged):
    sold = logged(shop)
    times = Counter((workspace, article) for workspace, article, _ in sold)
    assert [one for one in acknowledged if times[one] != 1] == []
    assert set(times.values()) <= {1}
    for workspace in range(1, WORKSPACES + 1):
        offsets = [event.wlog_offset for event in shop.events(workspace)]
        assert offsets == list(range(1, len(offsets) + 1))
    assert shop.caught_up()
    expected = {(workspace, article): (amount, 1) for workspace, article, amount in sold}
    for view in ("Stock", "Turnover"):
        found = {
            (str(workspace), article): (row["Sold"], row["Count"])
            for workspace in range(1, WORKSPACES + 1)
            for article, row in shop.rows(view, workspace).items()
        }
        assert found == expected
    compare_with_replay(shop)
    for workspace in range(1, WORKSPACES + 1):
        shop.runtime.command(shop.request(workspace), "shop.Nothing")
        app = shop.host.app("acme.shop")
        with app.borrow(workspace % PARTITIONS) as partition:
            assert list(partition.data.reader(partition.schemas).outbox()) == []


def compare_with_replay(shop):
    app = shop.host.app("acme.shop")
    for number in range(PARTITIONS):
        with app.borrow(number) as partition, MemoryDriver() as driver, driver.create("copy") as store:
            reader = partition.data.reader(partition.schemas)
            copy = PartitionData(store, number)
            assert replay(reader, copy) == partition.data.last_offset()
            records = [
                (event.workspace, cud.id) for event in reader.plog() for cud in event.cuds if cud.is_new
            ]
            assert copy.reader(partition.schemas).records(records) == reader.records(records)


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.soak)])
def test_what_was_acknowledged_survives_kill_9_and_nothing_happens_twice(open_shop, tmp_path, kills, probe):
    shop = open_shop(memory=False, parts=PARTITIONS, workspaces=WORKSPACES)
    shop.runtime.close()
    shop.host.close()
    acknowledged = set()
    chance = random.Random(kills)
    for turn in range(kills):
        acknowledged.update(sell_until_killed(tmp_path / "data", turn, chance.randrange(1, 150)))
        if turn % 10 == 2 or turn == kills - 1:
            shop = open_shop(memory=False, deploy=False)
            check(shop, acknowledged)
            if turn < kills - 1:
                shop.runtime.close()
                shop.host.close()
