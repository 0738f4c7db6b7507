"""The names under which the application keeps its parts."""

from __future__ import annotations

from aiohttp import web

from sandbox.kvid.fault_rates import FaultRates
from sandbox.kvid.faults import FaultScript
from sandbox.kvid.rate import RequestGate
from sandbox.kvid.works import Works

WORKS = web.AppKey("works", Works)
FAULTS = web.AppKey("faults", FaultScript)
FAULT_RATES = web.AppKey("fault_rates", FaultRates)
GATE = web.AppKey("gate", RequestGate)
