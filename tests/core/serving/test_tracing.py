from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from statehold.serving import Counting, TracedMeter

SHOP = "/api/v2/apps/acme/shop/workspaces/1"


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("test")


def test_a_request_is_a_span_inside_that_of_its_caller(start, exporter, tracer):
    client = start(tracer=tracer)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    client.get(f"{SHOP}/queries/shop.Menu", headers={"traceparent": parent})
    client.post(f"{SHOP}/commands/shop.Buy")
    query, command = exporter.get_finished_spans()
    assert (query.name, command.name) == ("GET queries shop.Menu", "POST commands shop.Buy")
    assert f"{query.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{query.parent.span_id:016x}" == "b7ad6b7169203331"
    assert command.parent is None
    assert query.attributes["http.response.status_code"] == 200
    assert query.attributes["statehold.app"] == "acme.shop"
    assert query.attributes["statehold.workspace"] == "1"


def test_a_span_of_what_failed_says_so(start, exporter, tracer, runtime):
    def fail(*_):
        raise RuntimeError("a defect")

    runtime.on_query = fail
    start(tracer=tracer).get(f"{SHOP}/queries/shop.Menu")
    [span] = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["http.response.status_code"] == 500


@pytest.mark.parametrize(
    ("path", "name"),
    [("/health", "GET"), (f"{SHOP}/docs/shop.Bill/5", "GET docs shop.Bill"), ("/api/v2/apps/x", "GET")],
)
def test_spans_are_not_called_by_ids(start, exporter, tracer, path, name):
    start(tracer=tracer).get(path)
    assert [span.name for span in exporter.get_finished_spans()] == [name]


def test_what_a_runtime_does_by_itself_is_spans_and_is_counted_too(exporter, tracer):
    counting = Counting()
    meter = TracedMeter(counting, tracer)
    meter.batch("a.b", 1, 5, 0.25)
    meter.projector("a.b", 1, "b.P", 3, 0.5, ok=False)
    meter.job("a.b", "b.J", 1, 0.5, ok=True)
    meter.command("a.b", "b.C", 200, 0.1)
    commit, projector, job = exporter.get_finished_spans()
    assert [span.name for span in (commit, projector, job)] == ["commit", "projector b.P", "job b.J"]
    assert commit.end_time - commit.start_time == pytest.approx(250_000_000, abs=1000)
    assert commit.attributes["statehold.commands"] == 5
    assert projector.status.status_code is StatusCode.ERROR
    assert [times.count for _, times in counting.read("command")] == [1]
    assert [times.more for _, times in counting.read("batch")] == [5]


def test_without_tracing_nothing_of_it_is_loaded():
    import subprocess
    import sys

    code = "import sys, statehold.serving; sys.exit(any('opentelemetry' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
