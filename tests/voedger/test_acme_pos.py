from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path

import pytest

from statehold.images import build_image, open_image
from statehold.processing import SYSTEM, ProcessingError, Request

IMAGE = Path(__file__).parent / "acme.pos"


def test_the_module_is_the_one_that_the_build_script_makes():
    module = (IMAGE / "image/pkg/acme.example/pos/pos.wasm").read_bytes()
    assert hashlib.sha256(module).hexdigest() == (
        "e322b060c163dc845a62113901e8a03a4c00ec1296ec441bb00ab1da532ac144"
    )


def test_an_image_made_for_voedger_is_packed_and_deployed_as_it_is(host, tmp_path):
    packed = build_image(IMAGE, tmp_path / "acme.pos.shi")
    with open_image(IMAGE) as folder:
        assert host.deploy(packed).digest == folder.digest


def test_deploying_and_calling_it_changes_no_byte_of_the_image(host, restaurant):
    files = sorted(path for path in IMAGE.rglob("*") if path.is_file())
    assert [str(path.relative_to(IMAGE)) for path in files] == [
        "descriptor.json",
        "image/pkg/acme.example/pos/pos.vsql",
        "image/pkg/acme.example/pos/pos.wasm",
        "image/pkg/sys/sys.vsql",
    ]
    restaurant.order(207, "soup", 500)
    with open_image(IMAGE) as image:
        assert {image.digest} == {version.digest for version in host.app("acme.pos").versions}
        for path in files:
            name = str(path.relative_to(IMAGE))
            assert image.files[name].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_command_makes_records_and_returns_a_result(restaurant):
    answer = restaurant.order(207, "soup", 500)
    assert sorted(answer.new_ids) == [1, 2]
    assert answer.result["Owed"] == 500


def test_what_a_command_made_is_read_as_a_document(restaurant):
    order = restaurant.order(207, "soup", 500).new_ids[1]
    document = restaurant.runtime.document(
        Request(app="acme.pos", workspace=restaurant.request.workspace, principal=SYSTEM), "pos.Orders", order
    )
    assert (document["TableNumber"], document["Waiter"], document["Total"]) == (207, "ada", 500)


def test_a_projector_keeps_a_view_that_a_query_reads(restaurant):
    restaurant.order(207, "soup", 500)
    restaurant.order(207, "fish", 12_000)
    restaurant.order(211, "tea", 100)
    restaurant.order(301, "cake", 300)
    restaurant.settled()
    found = restaurant.query("Debts", Floor=2)
    assert [
        (row["TableNumber"], row["Owed"], row["Dishes"], row["LastDish"], row["VIP"]) for row in found
    ] == [
        (207, 12_500, 2, "fish", True),
        (211, 100, 1, "tea", False),
    ]


def test_a_command_sees_what_the_projector_wrote(restaurant):
    restaurant.order(207, "soup", 500)
    restaurant.settled()
    assert restaurant.order(207, "fish", 700).result["Owed"] == 1200


def test_what_guests_log_is_in_the_log_of_the_host(restaurant, caplog):
    with caplog.at_level(logging.INFO, "statehold"):
        restaurant.order(207, "soup", 500)
        restaurant.settled()
        restaurant.query("Debts", Floor=2)
    logged = {each.getMessage() for each in caplog.records}
    assert {"ordered soup", "counted soup", "debts were asked for"} <= logged


def test_a_panic_of_go_is_the_message_of_the_error(restaurant):
    with pytest.raises(ProcessingError, match="panic: assertion failed: no more soup"):
        restaurant.command("RefuseOrder", TableNumber=1, Waiter="ada", Dish="soup", Price=1)


def test_after_a_panic_the_next_call_is_served(restaurant):
    for _ in range(5):
        with pytest.raises(ProcessingError):
            restaurant.command("RefuseOrder", TableNumber=1, Waiter="ada", Dish="soup", Price=1)
        restaurant.order(207, "soup", 500)


@pytest.mark.soak
def test_a_guest_that_never_frees_memory_serves_on(restaurant):
    """Each call leaks; instances are replaced before their memory is full."""
    for number in range(30_000):
        restaurant.query("Debts", Floor=number)


def test_the_job_runs_and_writes_into_its_view(restaurant):
    restaurant.runtime.run_job("acme.pos", "pos.Heartbeat")
    status = next(each for each in restaurant.runtime.jobs("acme.pos") if each.job == "pos.Heartbeat")
    assert status.problem == ""
    owner = Request(app="acme.pos", workspace=1, principal=SYSTEM)
    today = int(time.time()) // 86_400
    where = {"where": {"Day": {"$in": [today - 1, today]}}}
    found = [row["Note"] for row in restaurant.runtime.view(owner, "pos.Beats", constraints=where)]
    assert found == ["alive"]


def test_what_only_voedger_s_server_has_is_a_warning_and_projectors_and_jobs_of_it_are_not_run(host):
    version = host.deploy(IMAGE)
    [warning] = [each for each in version.warnings if "not provide" in each]
    assert "sys.CreateWorkspace" in warning
    assert {str(each.name) for each in version.not_run} == {
        "sys.RecordsRegistryProjector",
        "sys.ApplyInvitation",
        "sys.DeleteExpiredInvitations",
    }


def test_calling_what_only_voedger_s_server_has_is_refused_as_not_provided(restaurant):
    request = Request(app="acme.pos", workspace=restaurant.request.workspace, principal=SYSTEM)
    with pytest.raises(ProcessingError, match="not provided by this host") as caught:
        restaurant.runtime.query(request, "sys.Echo", {"Text": "hello"})
    assert caught.value.status == 501
