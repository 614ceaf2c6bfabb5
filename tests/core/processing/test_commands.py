from __future__ import annotations

import threading

import pytest

from statehold.processing import (
    BusyError,
    ClosedError,
    ExtensionError,
    ForbiddenError,
    LimitExceededError,
    RequestError,
    ResponseError,
    Runtime,
    UnknownError,
    failure,
)
from statehold.sdk import Principal

CLERK = Principal(name="ann", kind=1, roles={1: frozenset({"shop.Clerk"})})


def test_a_command_is_logged_with_what_it_changes_and_answers(shop):
    answer = shop.sell("pen", 5)
    assert answer.to_json()["newIDs"] == {"1": 200001}
    event = shop.events()[-1]
    assert (event.name, event.wlog_offset, event.argument.Article) == ("shop.Sell", answer.offset, "pen")
    assert [(cud.table, cud.id, cud.value.Amount) for cud in event.cuds] == [("shop.Sale", 200001, 5)]
    assert answer.result.Total == 5


def test_sync_projectors_are_part_of_the_command(shop):
    assert shop.sell("pen", 5).result.Total == 5
    assert shop.sell("pen", 2).result.Total == 7
    assert shop.rows("Stock")["pen"]["Sold"] == 7


def test_what_is_not_to_be_logged_reaches_the_command_and_no_log(shop):
    assert shop.sell(unlogged={"Word": "hush"}).result.Word == "hush"
    assert "hush" not in repr(shop.events())


def test_an_argument_of_any_type_is_taken_and_given_back_as_it_is(shop):
    answer = shop.runtime.command(shop.request(), "shop.Anything", {"a": [1, {"b": None}]})
    assert answer.result == {"got": {"a": [1, {"b": None}]}}
    assert shop.events()[-1].argument == {"a": [1, {"b": None}]}


def test_an_operational_document_is_an_argument_and_becomes_records(shop):
    answer = shop.runtime.command(shop.request(), "shop.Print", {"sys.ID": 1, "Text": "hello"})
    (cud,) = shop.events()[-1].cuds
    assert answer.new_ids == {1: cud.id}
    assert (cud.table, cud.value.Text) == ("shop.Paper", "hello")


@pytest.mark.parametrize(
    ("name", "args", "unlogged", "error", "message"),
    [
        ("shop.Nope", {}, None, UnknownError, r"acme\.shop has no command 'shop\.Nope'"),
        ("shop.Numbers", {}, None, UnknownError, "no command 'shop.Numbers': it is a QUERY"),
        ("shop.Sell", None, None, RequestError, "Article"),
        ("shop.Sell", {"Article": "a", "Amount": "x"}, None, RequestError, "Amount"),
        ("shop.Sell", {"Article": "a", "Amount": 1, "More": 1}, None, RequestError, "More"),
        ("shop.Sell", {"Article": "a", "Amount": 1}, {"Nope": 1}, RequestError, "Nope"),
        ("shop.Sell", [1], None, RequestError, "object"),
        ("shop.Nothing", {"a": 1}, None, RequestError, r"shop\.Nothing takes no args, got 'a'"),
        ("shop.Nothing", None, {"a": 1}, RequestError, r"shop\.Nothing takes no unloggedArgs, got 'a'"),
        ("shop.Sit", {}, None, UnknownError, r"workspace 1 is a sys\.AppWorkspaceWS, which has no shop\.Sit"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused_and_leaves_nothing(
    shop, name, args, unlogged, error, message
):
    before = shop.events()
    with pytest.raises(error, match=message) as caught:
        shop.runtime.command(shop.request(), name, args, unlogged=unlogged)
    assert caught.value.status in (400, 404)
    assert [event for event in shop.events() if event.error is None] == before


def test_apps_and_workspaces_that_are_not_there_are_named(shop):
    with pytest.raises(UnknownError, match="there is no workspace 99") as caught:
        shop.sell(workspace=99)
    assert caught.value.status == 404
    with pytest.raises(UnknownError, match=r"acme\.gone"):
        shop.runtime.command(shop.request().__class__(app="acme.gone", workspace=1), "shop.Sell", {})


def test_grants_say_who_may_run_it(shop):
    assert shop.sell(principal=CLERK)
    for principal in (None, Principal(name="bob", kind=1), CLERK):
        with pytest.raises(ForbiddenError) as caught:
            shop.sell(principal=principal, workspace=3 if principal is CLERK else 1)
        assert caught.value.roles == ("shop.Clerk",)


def test_limits_say_how_often(open_shop):
    shop = open_shop(access="RATE Two 2 PER HOUR PER WORKSPACE; LIMIT Sales ON COMMAND Sell WITH RATE Two;")
    everywhere = Principal(name="ann", kind=1, roles={0: frozenset({"shop.Clerk"})})
    shop.sell(principal=everywhere)
    shop.sell(principal=everywhere)
    with pytest.raises(LimitExceededError) as caught:
        shop.sell(principal=everywhere)
    assert caught.value.status == 429
    assert 0 < caught.value.retry_after <= 1800
    assert failure(caught.value).retry_after == caught.value.retry_after
    shop.sell(principal=everywhere, workspace=2)
    shop.sell()


def test_a_command_that_fails_has_never_happened(shop):
    before = shop.sell().offset
    with pytest.raises(ExtensionError, match="told to fail") as caught:
        shop.sell(mode="fail")
    assert caught.value.status == 500
    with pytest.raises(ResponseError, match="told to refuse") as caught:
        shop.sell(mode="refuse")
    assert caught.value.status == 422
    assert (
        shop.sell().offset == before + 3
    )  # Two that failed were logged, because a projector waits for them.
    assert shop.rows("Stock")["pen"]["Sold"] == 2


def test_a_failure_is_logged_where_a_projector_waits_for_errors(shop):
    with pytest.raises(ExtensionError):
        shop.sell(mode="fail")
    event = shop.events()[-1]
    assert (event.name, event.error.command, event.error.valid) == ("sys.Error", "shop.Sell", True)
    assert "told to fail" in event.error.message
    with pytest.raises(RequestError):
        shop.sell("pen", "one")
    assert shop.events()[-1].error.valid is False
    assert shop.caught_up()
    assert shop.rows("Failures")["shop.Sell"]["Count"] == 2
    before = len(shop.events())
    with pytest.raises(ForbiddenError):
        shop.sell(principal=None)
    assert len(shop.events()) == before


def test_a_sync_projector_that_fails_fails_the_command(shop, probe):
    shop.sell()

    def fail(_):
        raise ValueError("no room")

    probe.hooks["count_sync"] = fail
    with pytest.raises(ExtensionError, match=r"SYNC PROJECTOR shop\.CountSync refused .* no room"):
        shop.sell()
    del probe.hooks["count_sync"]
    assert shop.sell().result.Total == 2
    assert [event.error is None for event in shop.events()][-3:] == [True, False, True]


def test_a_command_that_changes_too_many_records_is_refused(shop):
    with pytest.raises(RequestError, match="makes or changes 199 records, more than 100"):
        shop.sell(mode="many")
    assert "pen" not in shop.rows("Stock")


def test_commands_that_wait_share_a_commit_and_one_that_fails_is_undone_alone(shop, probe, quiet):
    began, go = threading.Event(), threading.Event()

    def hold(call):
        if call.arg.Article == "hold":
            began.set()
            assert go.wait(60)

    probe.hooks["sell"] = hold
    answers, threads = {}, []

    def ask(article, mode=None):
        try:
            answers[article] = shop.sell(article, mode=mode)
        except Exception as error:
            answers[article] = error

    def start(*args):
        threads.append(threading.Thread(target=ask, args=args))
        threads[-1].start()

    start("hold")
    assert began.wait(60)
    for number in range(10):
        start(f"a{number}", "fail" if number == 5 else None)
    lane = shop.runtime._shares["acme.shop"].slice_of(1).lane
    while len(lane) < 10:
        go.wait(0.001)
    go.set()
    for thread in threads:
        thread.join(20)
    failed = {article for article, answer in answers.items() if isinstance(answer, Exception)}
    assert failed == {"a5"}
    assert len(shop.rows("Stock")) == 10
    offsets = sorted(answer.offset for article, answer in answers.items() if article != "a5")
    assert len(set(offsets)) == 10
    assert [event.wlog_offset for event in shop.events()] == list(range(1, len(shop.events()) + 1))


def test_an_extension_that_hangs_blocks_its_partition_and_no_other(shop, probe):
    began, go = threading.Event(), threading.Event()

    def hang(call):
        if call.workspace == 1:
            began.set()
            go.wait(20)

    probe.hooks["nothing"] = hang
    hanging = threading.Thread(target=shop.runtime.command, args=(shop.request(), "shop.Nothing"))
    hanging.start()
    assert began.wait(60)
    with pytest.raises(
        BusyError, match=r"partition 1 of acme\.shop did not come to the end of shop\.Sell"
    ) as caught:
        shop.sell(timeout=0.01)
    assert caught.value.status == 503
    assert not caught.value.unknown
    with pytest.raises(BusyError):
        shop.sell(workspace=3, timeout=0.01)
    assert shop.sell(workspace=2).result.Total == 1
    assert shop.runtime.query(shop.request(), "shop.Numbers", {"Count": 1})
    go.set()
    hanging.join(20)
    assert shop.sell().result.Total == 1


def test_commands_can_be_asked_for_without_waiting(shop):
    done, answers, led = threading.Semaphore(0), [], []

    def then(answer):
        answers.append(answer)
        done.release()

    args = {"Article": "pen", "Amount": 1}
    shop.runtime.submit(shop.request(), "shop.Sell", args, then=then, lead=led.append)
    shop.runtime.submit(shop.request(), "shop.Sell", args, then=then, lead=led.append)
    shop.runtime.submit(shop.request(workspace=77), "shop.Sell", args, then=then, lead=led.append)
    (work,) = led
    assert answers == []
    work()
    for _ in range(3):
        assert done.acquire(timeout=60)
    assert {type(answer).__name__ for answer in answers} == {"CommandAnswer", "UnknownError"}
    shop.runtime.submit(shop.request().__class__(app="no.app", workspace=1), "shop.Sell", args, then=then)
    assert done.acquire(timeout=60)
    assert isinstance(answers[-1], UnknownError)


def test_closing_waits_no_longer_than_it_is_told_for_what_hangs(open_shop, probe, quiet):
    shop = open_shop(runtime={"settings": {"drain": 0.05}}, host={"pending_timeout": 0.05})
    began, go = threading.Event(), threading.Event()
    probe.hooks["nothing"] = lambda _: (began.set(), go.wait(20))
    probe.hooks["count_async"] = lambda _: go.wait(20)
    shop.sell()
    hanging = threading.Thread(target=shop.runtime.command, args=(shop.request(), "shop.Nothing"))
    hanging.start()
    assert began.wait(60)
    shop.runtime.close()
    ours = ("statehold-lane", "statehold-worker", "statehold-timer")
    left = [one for one in threading.enumerate() if one.name.startswith(ours)]
    assert all(one.daemon for one in left)
    go.set()
    for one in (hanging, *left):
        one.join(60)


def test_after_closing_nothing_is_taken(open_shop):
    shop = open_shop()
    shop.sell()
    shop.runtime.close()
    shop.runtime.close()
    with pytest.raises(ClosedError) as caught:
        shop.sell()
    assert caught.value.status == 503
    with pytest.raises(ClosedError):
        Runtime.query(shop.runtime, shop.request(), "shop.Numbers", {"Count": 1})


def test_a_version_is_replaced_under_load_without_losing_a_command(shop, image):
    stop, counts, errors = threading.Event(), [0] * 4, []

    def client(number):
        try:
            while not stop.is_set():
                shop.sell(f"a{number}", workspace=number + 1)
                counts[number] += 1
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    images = [image("2"), image("3")]
    for one in images:
        shop.host.deploy(one)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert shop.caught_up()
    for number in range(4):
        for view in ("Stock", "Turnover"):
            assert shop.rows(view, number + 1).get(f"a{number}", {"Sold": 0})["Sold"] == counts[number]


def test_a_command_that_waited_for_a_deploy_runs_on_the_version_that_came_of_it(shop, image):
    app = shop.host.app("acme.shop")
    answers, waiting = [], threading.Event()
    with app.borrow(1) as partition:
        lock = partition.writing

        class Lock:
            def __enter__(self):
                waiting.set()
                lock.acquire()

            def __exit__(self, *_):
                lock.release()

        partition.writing = Lock()
    fresh = "\n\n@extension\ndef fresh(call):\n    pass\n"
    run = shop.runtime.command
    thread = threading.Thread(target=lambda: answers.append(run(shop.request(), "shop.Fresh", {})))
    with lock:
        thread.start()
        assert waiting.wait(20)
        shop.host.deploy(image("2", extensions="COMMAND Fresh;", code=fresh))
    thread.join(20)
    assert [answer.problem for answer in answers] == [""]
