from __future__ import annotations

import pytest

from statehold.processing import ExtensionError, ForbiddenError, NoMeter, UnknownError


class Heard(NoMeter):
    def __init__(self):
        self.all = []

    def command(self, app, name, status, seconds):
        self.all.append(("command", app, name, status))
        assert seconds >= 0

    def query(self, app, name, status, seconds, results):
        self.all.append(("query", app, name, status, results))

    def denied(self, app, name, reason):
        self.all.append(("denied", app, name, reason))

    def batch(self, app, partition, commands, seconds):
        self.all.append(("batch", app, partition, commands))

    def projector(self, app, partition, name, events, seconds, *, ok):
        self.all.append(("projector", partition, name, events, ok))

    def job(self, app, name, workspace, seconds, *, ok):
        self.all.append(("job", name, workspace, ok))


def test_a_meter_hears_of_everything(open_shop, quiet):
    heard = Heard()
    shop = open_shop(runtime={"meter": heard})
    shop.sell()
    with pytest.raises(ExtensionError):
        shop.sell(mode="fail")
    with pytest.raises(ForbiddenError):
        shop.sell(principal=None)
    with pytest.raises(UnknownError):
        shop.sell(workspace=99)
    shop.runtime.query(shop.request(), "shop.Numbers", {"Count": 300})
    shop.runtime.run_job("acme.shop", "shop.Tick")
    assert shop.caught_up()
    for expected in (
        ("command", "acme.shop", "shop.Sell", 200),
        ("batch", "acme.shop", 1, 1),
        ("command", "acme.shop", "shop.Sell", 500),
        ("command", "acme.shop", "shop.Sell", 403),
        ("denied", "acme.shop", "shop.Sell", "rights"),
        ("command", "acme.shop", "shop.Sell", 404),
        ("query", "acme.shop", "shop.Numbers", 200, 300),
        ("job", "shop.Tick", 1, True),
        ("projector", 1, "shop.CountAsync", 1, True),
    ):
        assert expected in heard.all
