"""The way between a unit and its cloud: what is sent, and what a transport has to do."""

from __future__ import annotations

from statehold_aos.gateway._checksum import checksum_of
from statehold_aos.gateway._cloud import Cloud
from statehold_aos.gateway._cloud_book import CloudBook
from statehold_aos.gateway._cloud_hub import CloudHub, Happened
from statehold_aos.gateway._errors import GatewayError, MessageError
from statehold_aos.gateway._gateway import Gateway, Unit
from statehold_aos.gateway._ids import new_id
from statehold_aos.gateway._in_process import InProcess
from statehold_aos.gateway._messages import (
    ClaimId,
    NewState,
    StateAcceptance,
    StateRequest,
    StateStatus,
    ToCloud,
    ToUnit,
    UpdateState,
)
from statehold_aos.gateway._opening import IN_PROCESS, open_gateway
from statehold_aos.gateway._options import Options
from statehold_aos.gateway._protocol2 import Protocol2
from statehold_aos.gateway._protocol7 import Ack, Frame, Nack, Protocol7, new_number
from statehold_aos.gateway._text import BASE64, state_of, text_of
from statehold_aos.gateway._wire import LARGEST

__all__ = [
    "BASE64",
    "IN_PROCESS",
    "LARGEST",
    "Ack",
    "ClaimId",
    "Cloud",
    "CloudBook",
    "CloudHub",
    "Frame",
    "Gateway",
    "GatewayError",
    "Happened",
    "InProcess",
    "MessageError",
    "Nack",
    "NewState",
    "Options",
    "Protocol2",
    "Protocol7",
    "StateAcceptance",
    "StateRequest",
    "StateStatus",
    "ToCloud",
    "ToUnit",
    "Unit",
    "UpdateState",
    "checksum_of",
    "new_id",
    "new_number",
    "open_gateway",
    "state_of",
    "text_of",
]
