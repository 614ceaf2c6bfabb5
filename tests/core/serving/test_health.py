from __future__ import annotations

import pytest
from cafe import CODE
from prometheus_client.parser import text_string_to_metric_families

from statehold.hosting import FreedPlugin
from statehold.rows import RowStoreError
from statehold.serving import Counting


def figures(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_server_that_answers_lives(client):
    assert client.get("/health").json() == {"status": "live"}


def test_a_server_without_apps_is_ready(client):
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "problems": []})


def test_a_server_whose_apps_run_is_ready(served):
    assert served.system.get("/ready").json() == {"ready": True, "problems": []}


class BrokenHost:
    """A host with one app that does not run, and one that cannot write."""

    def apps(self):
        return tuple(type("Status", (), {"app": name}) for name in ("acme.broken", "acme.full"))

    def app(self, name):
        from statehold.sdk import HostError

        if name == "acme.broken":
            raise HostError("acme.broken is not running: version 1 could not be opened")
        return self

    current_or_none = True
    running = ()

    def listen(self, listener):
        return lambda: None

    @property
    def data(self):
        return self

    @property
    def store(self):
        return self

    def write(self, changes):
        raise RowStoreError("the disk is full")


def test_a_server_with_an_app_that_does_not_run_or_write_is_not_ready(start):
    answer = start(host=BrokenHost()).get("/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "problems": [
            "acme.broken is not running: version 1 could not be opened",
            "acme.full cannot write: the disk is full",
        ],
    }


def test_figures_tell_calls_refusals_and_latencies(served):
    body = {"args": {"Code": "soup", "Day": 1}, "unloggedArgs": {"Number": "1"}}
    assert served.system.post(served.at("commands/cafe.Order"), json=body).status_code == 200
    assert served.client().post(served.at("commands/cafe.Order"), json=body).status_code == 403
    assert served.system.get(served.at('queries/cafe.Count?args={"Count":3}')).status_code == 200
    assert served.runtime.wait_for_projectors("acme.cafe", timeout=60)
    found = figures(served.system.get("/metrics").text)
    command = (("app", "acme.cafe"), ("command", "cafe.Order"))
    assert found["statehold_command_seconds_count", (*command, ("status", "200"))] == 1
    assert found["statehold_command_seconds_count", (*command, ("status", "403"))] == 1
    assert found["statehold_command_seconds_bucket", (*command[:2], ("le", "+Inf"), ("status", "200"))] == 1
    query = (("app", "acme.cafe"), ("query", "cafe.Count"), ("status", "200"))
    assert found["statehold_query_seconds_count", query] == 1
    assert found["statehold_query_results_total", query] == 3
    denied = (("app", "acme.cafe"), ("name", "cafe.Order"), ("reason", "rights"))
    assert found["statehold_denied_total", denied] == 1
    partition = (("app", "acme.cafe"), ("partition", str(served.workspace % 2)))
    assert found["statehold_commit_commands_total", partition] >= 1
    projector = (*partition, ("projector", "cafe.CountLater"))
    assert found["statehold_projector_lag_events", projector] == 0
    assert found["statehold_pool_threads", (("pool", "query"),)] == 32


def test_figures_tell_what_each_storage_was_used_for(served):
    body = {"args": {"Code": "tea", "Day": 1}, "unloggedArgs": {"Number": "1"}}
    assert served.system.post(served.at("commands/cafe.Order"), json=body).status_code == 200
    found = figures(served.system.get("/metrics").text)
    calls = {
        (dict(labels)["storage"], dict(labels)["operation"], dict(labels)["user"]): value
        for (name, labels), value in found.items()
        if name == "statehold_storage_calls_total"
    }
    assert calls["sys.View", "GET", "cafe.Order"] >= 1
    assert calls["sys.Record", "INSERT", "cafe.Order"] >= 1
    assert {
        dict(labels)["version"] for (name, labels) in found if name == "statehold_storage_calls_total"
    } == {"1"}


def order(cafe):
    body = {"args": {"Code": "tea", "Day": 1}, "unloggedArgs": {"Number": "1"}}
    assert cafe.system.post(cafe.at("commands/cafe.Order"), json=body).status_code == 200
    assert cafe.system.get(cafe.at('queries/cafe.Count?args={"Count":3}')).status_code == 200
    return figures(cafe.system.get("/metrics").text)


def place(storage, operation, *, scope="COMMANDS", user="cafe.Order"):
    labels = {
        "app": "acme.cafe",
        "operation": operation,
        "scope": scope,
        "storage": storage,
        "user": user,
        "version": "1",
    }
    return tuple(labels.items())


RESULTS = place("sys.Result", "INSERT", scope="QUERIES", user="cafe.Count")


def test_figures_tell_how_long_reading_and_applying_take(served):
    found = order(served)
    calls = found["statehold_storage_calls_total", place("sys.View", "GET")]
    assert found["statehold_storage_seconds_count", place("sys.View", "GET")] == calls >= 1
    for at in (
        place("sys.View", "GET"),
        place("sys.Record", "INSERT"),
        place("sys.View", "INSERT", scope="PROJECTORS", user="cafe.CountSold"),
    ):
        assert found["statehold_storage_seconds_count", at] >= 1
        assert 0 < found["statehold_storage_seconds_sum", at] < 60


def test_the_results_of_queries_are_timed_only_if_the_operator_asks(served, make_cafe):
    assert ("statehold_storage_seconds_count", RESULTS) not in order(served)
    found = order(make_cafe(time_calls=True))
    assert found["statehold_storage_seconds_count", RESULTS] == 3


def test_nothing_of_storages_is_timed_if_the_operator_says_so(make_cafe):
    found = order(make_cafe(time_calls=False))
    assert found["statehold_storage_calls_total", RESULTS] == 3
    assert not [name for name, _ in found if name.startswith("statehold_storage_seconds")]


def test_figures_tell_what_was_refused_of_each_storage(make_cafe):
    forbidden = 'call.View.Sold.insert(Day=1, Code="tea", Count=1)'
    cafe = make_cafe(code=CODE.replace("def order(call):", f"def order(call):\n    {forbidden}"))
    body = {"args": {"Code": "tea", "Day": 1}, "unloggedArgs": {"Number": "1"}}
    for _ in range(2):
        assert cafe.system.post(cafe.at("commands/cafe.Order"), json=body).status_code == 500
    found = figures(cafe.system.get("/metrics").text)
    assert found["statehold_storage_denied_total", place("sys.View", "INSERT")] == 2
    assert found["statehold_storage_calls_total", place("sys.View", "INSERT")] == 0


def test_figures_tell_which_storages_were_used_without_being_named(make_cafe):
    cafe = make_cafe(code=CODE.replace("def order(call):", "def order(call):\n    call.SendMail"))
    body = {"args": {"Code": "tea", "Day": 1}, "unloggedArgs": {"Number": "1"}}
    for _ in range(2):
        assert cafe.system.post(cafe.at("commands/cafe.Order"), json=body).status_code == 500
    found = figures(cafe.system.get("/metrics").text)
    assert found["statehold_storage_denied_total", place("sys.SendMail", "")] == 2


def test_figures_tell_what_engines_are_in_use(served):
    found = figures(served.system.get("/metrics").text)
    place = (
        ("app", "acme.cafe"),
        ("engine", "PYTHON"),
        ("partition", "0"),
        ("scope", "QUERIES"),
        ("version", "1"),
    )
    assert found["statehold_engines", place] == 10
    assert found["statehold_engines_busy", place] == found["statehold_engines_waiting", place] == 0


def test_figures_tell_what_is_in_quarantine(served):
    leak = FreedPlugin(distribution="cafe-devices", version="1", sha256="0" * 64, survivors=("a class",))
    for _ in range(3):
        served.host.quarantine.freed("acme.cafe", [leak])
    found = figures(served.system.get("/metrics").text)
    assert found["statehold_quarantined", (("app", "acme.cafe"), ("distribution", "cafe-devices"))] == 1


def test_the_pools_have_the_sizes_that_the_descriptor_says_in_its_order(make_cafe):
    cafe = make_cafe(partitions=1, EnginePoolSize=[5, 6, 7, 8])
    found = figures(cafe.system.get("/metrics").text)
    sizes = {
        dict(labels)["scope"]: value for (name, labels), value in found.items() if name == "statehold_engines"
    }
    assert sizes == {"COMMANDS": 5, "QUERIES": 6, "PROJECTORS": 7, "JOBS": 8}


def test_figures_are_for_this_machine_and_for_operators(start, system, waiter, monkeypatch):
    from statehold.serving import _health

    client = start()
    assert client.get("/metrics").status_code == 200
    monkeypatch.setattr(_health, "_LOOPBACK", ())
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers=waiter).status_code == 401
    assert client.get("/metrics", headers=system).status_code == 200


def test_every_thread_counts_and_nothing_is_lost():
    import threading

    counting = Counting()
    begin = threading.Barrier(8)

    def count():
        begin.wait()
        for _ in range(2000):
            counting.query("a.b", "b.Q", 200, 0.001, 2)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [(labels, times)] = counting.read("query")
    assert labels == ("a.b", "b.Q", "200")
    assert (times.count, times.more) == (16_000, 32_000)
    assert times.seconds == pytest.approx(16.0)


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.0005, 0), (0.0006, 1), (30.0, 14), (31.0, 15)])
def test_a_time_falls_into_the_bucket_that_it_does_not_exceed(seconds, bucket):
    counting = Counting()
    counting.command("a.b", "b.C", 200, seconds)
    [(_, times)] = counting.read("command")
    assert times.buckets.index(1) == bucket
