"""The way to the cloud through a broker, for the tests of all ways."""

from __future__ import annotations

import contextlib
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from amqp_sides import TERMS
from proxy import proxy

from statehold_aos.gateway import CloudHub
from statehold_aos.gateway.amqp import AmqpCloud, AmqpGateway

if TYPE_CHECKING:
    from ways import Way


@contextlib.contextmanager
def amqp(request: pytest.FixtureRequest) -> Iterator[Way]:
    """Through a broker, which the unit reaches through a proxy that breaks and ends."""
    from ways import SYSTEM, Way, quick

    rabbit, name, hub = request.getfixturevalue("rabbit"), uuid.uuid4().hex, CloudHub()
    cloud = AmqpCloud(hub, f"{rabbit.url()}?exchange={name}", units=[SYSTEM], terms=TERMS)
    made: list[AmqpGateway] = []
    with contextlib.ExitStack() as stack:
        stack.callback(cloud.close)
        between = stack.enter_context(proxy(rabbit.port))
        url = f"{rabbit.url(port=between.port)}?exchange={name}&queue={name}.{SYSTEM}"

        def gateway(**more: Any) -> AmqpGateway:
            made.append(AmqpGateway(url, quick(**more), TERMS))
            stack.callback(made[-1].close)
            return made[-1]

        assert cloud.wait(60)
        yield Way(
            hub,
            gateway,
            lambda claim, state: hub.push(SYSTEM, claim, state),
            cut=between.cut,
            stop=between.stop,
            start=between.start,
        )
