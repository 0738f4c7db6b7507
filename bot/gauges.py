"""What is counted from the database when somebody asks for the metrics: the line, held credits, the gate, drift.

Owns these gauges and how they are brought up to date. What happens in this process is `bot.metrics`.
"""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from bot.credits import audit
from bot.log import get_logger
from db.engine import is_outage
from db.enums import Breaker
from db.queries import gate as gate_queries
from db.queries import vitals as queries

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bot.clock import Clock
    from bot.metrics import Metrics
    from db.engine import Database
    from db.gate_values import KvidGate
    from db.queries.vitals import Vitals

log = get_logger(__name__)

READ_TIMEOUT_S = 3.0
# Who asks more often than this gets the same numbers again.
KEPT_S = 1.0


class Gauges:
    def __init__(self, metrics: Metrics, database: Database, clock: Clock) -> None:
        self._metrics = metrics
        self._database = database
        self._clock = clock
        self._read_at_s = -KEPT_S
        self._reading = asyncio.Lock()
        self._up = self._gauge("database_up", "1 while the database answers")
        self._open = self._gauge("jobs_open", "Jobs that have not ended, by state", "state")
        self._oldest = self._gauge(
            "jobs_oldest_seconds", "How long the oldest open job has stood in its state", "state"
        )
        self._held = self._gauge("credits_held", "Credits held for jobs on their way")
        self._settled = self._gauge("credits_settled", "Credits that members ever used")
        self._drift = self._gauge(
            "ledger_drift", "Balances that the transfers do not prove; anything but 0 is a fault"
        )
        self._window = self._gauge("kvid_gate_window_jobs", "How many jobs may be at kvid at once now")
        self._gate = self._gauge(
            "kvid_gate_closed", "1 while this keeps jobs from kvid: pause, breaker, refused account", "reason"
        )
        self._forget()
        # A ledger that nobody has proved yet is not a proved one.
        self._drift.set(math.nan)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, namespace="kvid_bot", registry=self._metrics.registry)

    async def refresh(self) -> None:
        """Read what the database says now; while it is away, its numbers are left out instead of growing old."""
        async with self._reading:
            if self._clock.monotonic() - self._read_at_s < KEPT_S:
                return
            self._read_at_s = self._clock.monotonic()
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    found = await self._database.read(_read)
            except Exception as error:
                if not (is_outage(error) or isinstance(error, TimeoutError)):
                    raise
                self._up.set(0)
                self._forget()
                return
        self._up.set(1)
        self._show(*found)

    def _forget(self) -> None:
        for labelled in (self._open, self._oldest, self._gate):
            labelled.clear()
        for gauge in (self._held, self._settled, self._window):
            gauge.set(math.nan)

    def _show(self, vitals: Vitals, members: tuple[int, int], gate: KvidGate | None) -> None:
        now = self._clock.now()
        for state, count in vitals.open_jobs.items():
            since = vitals.oldest_at.get(state, now)
            self._open.labels(state.value).set(count)
            self._oldest.labels(state.value).set(max(timedelta(), now - since).total_seconds())
        self._held.set(members[0])
        self._settled.set(members[1])
        if gate is not None:
            self._window.set(gate.window_jobs)
            self._gate.labels("pause").set(gate.paused_until is not None and gate.paused_until > now)
            self._gate.labels("breaker").set(gate.breaker is not Breaker.CLOSED)
            self._gate.labels("account").set(gate.refused is not None)

    async def prove_ledger(self) -> None:
        """Recompute every balance from the transfers; for a timer, since it reads the whole ledger."""
        try:
            differences = await self._database.read(audit.find_differences)
        except Exception:
            self._drift.set(math.nan)
            raise
        self._drift.set(len(differences))
        if differences:
            log.error(
                "ledger.drifted",
                differences=len(differences),
                first=differences[0].subject,
                mend="Run kvid-bot ledger audit, which names each; stop the bot until you know why",
            )


def _read(c: Connection) -> tuple[Vitals, tuple[int, int], KvidGate | None]:
    return queries.find_vitals(c), queries.sum_members(c), gate_queries.find_gate(c)
