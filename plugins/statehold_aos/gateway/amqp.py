"""The way to the cloud over AMQP 0-9-1, with both of its sides; it needs the extra `aos`."""

from __future__ import annotations

from statehold_aos.gateway._amqp import AmqpGateway
from statehold_aos.gateway._amqp_cloud import AmqpCloud
from statehold_aos.gateway._amqp_errors import AmqpError, AmqpTrouble
from statehold_aos.gateway._amqp_terms import AmqpTerms

__all__ = ["AmqpCloud", "AmqpError", "AmqpGateway", "AmqpTerms", "AmqpTrouble"]
