"""`statehold serve --tracing`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector(ThreadingHTTPServer):
    """Takes the spans that are sent to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taker)
        self.taken: SimpleQueue[tuple[str, bytes]] = SimpleQueue()

    def spans(self) -> list[tuple[str, str]]:
        """Return service and name of the spans that come next."""
        path, body = self.taken.get(timeout=60)
        assert path == "/v1/traces"
        return [
            (resource.resource.attributes[-1].value.string_value, span.name)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Taker(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.put((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, args=(0.01,))
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


def test_serve_sends_the_spans_of_its_requests_before_it_ends(collector, samples, statehold, tmp_path):
    statehold("deploy", samples / "acme.hello", "--data", tmp_path)
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("STATEHOLD_", "OTEL_"))
    }
    environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{collector.server_port}"
    command = [
        sys.executable,
        "-m",
        "statehold",
        "serve",
        "--tracing",
        "--port",
        "0",
        "--data",
        tmp_path,
        "--json",
    ]
    with subprocess.Popen(
        [*command, "--data", tmp_path], env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            said = "".join(iter(process.stdout.readline, "}\n"))
            url = json.loads(f"{said}}}")["url"]
            path = "/api/v2/apps/acme/hello/workspaces/1/queries/hello.Greet"
            assert httpx.get(url + path).status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert ("statehold", "GET queries hello.Greet") in collector.spans()


def test_without_the_extra_serve_says_what_to_install(monkeypatch, samples, statehold, tmp_path):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    statehold("deploy", samples / "acme.hello", "--data", tmp_path)
    said = statehold("serve", "--tracing", "--port", "0", "--data", tmp_path, code=1)
    assert "--tracing needs OpenTelemetry" in said
    assert "pip install 'statehold[tracing]'" in said
