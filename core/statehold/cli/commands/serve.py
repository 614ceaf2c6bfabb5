from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from statehold.cli._hosts import HostOptions, host_command
from statehold.cli._logs import heard_by
from statehold.cli._output import Output
from statehold.cli._text import plural

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from statehold.hosting import Host

_EPILOG = """\b
Example:
  statehold serve --port 8080 &
  statehold deploy acme.bills-2.shi --to http://127.0.0.1:8080
"""


_SECONDS = click.FloatRange(min=0.1)


@click.command("serve", epilog=_EPILOG)
@click.option("--host", "address", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port, 0 for a free one.",
)
@click.option("--behind-proxy", is_flag=True, help="Believe X-Forwarded-For of a proxy on this machine.")
@click.option(
    "--federation", "others", multiple=True, metavar="APP=URL", help="Where an app of another host is served."
)
@click.option(
    "--tracing", is_flag=True, help="Send OpenTelemetry spans, as OTEL_... in the environment says."
)
@click.option(
    "--timing/--no-timing",
    default=None,
    help="Measure for /metrics how long all calls of storages take, or none; by default those beyond memory.",
)
@click.option(
    "--command-timeout",
    type=_SECONDS,
    default=10.0,
    show_default=True,
    help="Seconds that the caller of a command waits for its answer.",
)
@click.option(
    "--query-timeout",
    type=_SECONDS,
    default=30.0,
    show_default=True,
    help="Seconds that a query may take.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="How many versions before the current one of an app stay open, to be rolled back to at once.",
)
@click.option(
    "--drain",
    type=click.FloatRange(min=1),
    default=10.0,
    show_default=True,
    help="Seconds that requests in flight have when it is stopped.",
)
@host_command
def command(
    out: Output,
    options: HostOptions,
    *,
    address: str,
    port: int,
    behind_proxy: bool,
    others: tuple[str, ...],
    tracing: bool,
    timing: bool | None,
    command_timeout: float,
    query_timeout: float,
    keep: int,
    drain: float,
) -> None:
    """Serve every app over HTTP, and run its projectors and jobs.

    Until SIGTERM or Ctrl-C: then it takes no further request, and ends with code 0 when those in flight are
    answered. /health, /ready and /metrics are for machines; docs/http-api.md has the rest.
    """
    from statehold.processing import Runtime, Settings  # noqa: PLC0415
    from statehold.serving import (  # noqa: PLC0415
        Counting,
        Federation,
        Limits,
        Server,
        Tokens,
        TracedMeter,
        own_process,
    )

    known = _others(others)
    tokens = Tokens.open(options.data)
    federation = Federation(tokens, others=known)
    counting = Counting()
    with (
        own_process(),
        options.open(out, apps=None, time_calls=timing, keep=keep) as host,
        _tracer(on=tracing) as tracer,
    ):
        host.federate(federation)
        meter = counting if tracer is None else TracedMeter(counting, tracer)
        settings = Settings(command_timeout=command_timeout, query_timeout=query_timeout, drain=drain)
        # No answer is given up that the runtime still works at.
        patience = max(Limits().request_seconds, command_timeout, query_timeout)
        with Runtime(host, meter=meter, settings=settings) as runtime:
            server = Server(
                host,
                runtime,
                tokens=tokens,
                data_folder=options.data,
                meter=counting,
                limits=Limits(request_seconds=patience, drain_seconds=drain),
                address=address,
                port=port,
                behind_proxy=behind_proxy,
                tracer=tracer,
            )
            federation.serve_at(server.url)
            with _warnings(verbose=options.verbose):
                server.run(started=_announcement(out, host, server.url))
    out.done("stopped")


def _announcement(out: Output, host: Host, url: str) -> Callable[[], None]:
    def announce() -> None:
        apps = host.apps()
        out.document({"url": url, "apps": {app.app: app.current for app in apps}})
        for app in apps:
            out.line(f"{app.app} {app.current}")
        for warning in host.warnings:
            out.warn(warning)
        out.done(f"{plural(len(apps), 'app')} at {url}")

    return announce


def _others(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in given:
        app, _, url = text.partition("=")
        if app.count(".") != 1 or not url.startswith(("http://", "https://")):
            raise click.BadParameter(f"{text!r}: expected owner.app=http://...", param_hint="--federation")
        found[app] = url
    return found


@contextmanager
def _warnings(*, verbose: bool) -> Iterator[None]:
    """Show on stderr what goes wrong while it serves; with *verbose*, all of it is shown already."""
    if verbose:
        yield
        return
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(levelname)-7s %(name)s: %(message)s"))
    with heard_by(handler, "statehold", "uvicorn.error"):
        yield


@contextmanager
def _tracer(*, on: bool) -> Iterator[Tracer | None]:
    if not on:
        yield None
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above
    except ImportError as error:
        raise click.ClickException(
            f"--tracing needs OpenTelemetry ({error}): pip install 'statehold[tracing]'"
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.name": "statehold"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        yield provider.get_tracer("statehold")
    finally:
        provider.shutdown()
