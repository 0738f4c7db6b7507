"""The one gate towards kvid, for all jobs of all processes: who gets a place there, and what kvid's answers change.

Owns the transactions of both and this process' view of the gate. The rules are `jobs.gate_rules` and
`jobs.fairness`; the gate itself is one row that every change locks, so that processes take turns. Must not
know what a job does with its place.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.jobs import gate_rules as rules
from bot.jobs.fairness import Choice, choose
from bot.jobs.outcomes import Failure, decide_signal, describe
from bot.log import get_logger
from bot.tasks import TaskGroup, wait_for
from db.engine import is_outage
from db.enums import Breaker
from db.queries import gate as queries
from db.queries import jobs as job_queries
from db.queries import line as line_queries
from db.queries.timers import read_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from bot.clock import Clock
    from bot.jobs.ports import Engine
    from bot.kvid.errors import KvidError
    from db.engine import Database
    from db.gate_values import KvidGate, Owner, PlaceHolder, ServerTurn
    from db.values import Job

log = get_logger(__name__)

# How old may be what this process knows of what another process was told by kvid.
REFRESH_INTERVAL_S = 1.0
HEADS_PER_FLOW = 8
LOOKS_MAX = 100
OVERDUE_MAX = 50
# How long a job may wait while the line stands still, or be sent back to it.
LINE_PATIENCE_S = 3600.0


class Gate:
    """Shape: with `shared` other processes work on the database too, so their times are PostgreSQL's."""

    def __init__(
        self, *, database: Database, clock: Clock, engine: Engine, concurrency: int, shared: bool = False
    ) -> None:
        self._database = database
        self._clock = clock
        self._engine = engine
        self._concurrency = concurrency
        self._shared = shared
        self._new = rules.new_gate(concurrency)
        self._known = self._new
        # PostgreSQL's time minus ours, for what is answered without asking it.
        self._skew = timedelta()
        # Called when the gate has moved, as far as this process knows: there may be places now.
        self.on_moved: Callable[[], None] = lambda: None
        # Whether the last admission left places free: then nobody waits for one.
        self.has_room = False
        self._loop = TaskGroup("gate", limit=1)
        self._stopping = asyncio.Event()

    @property
    def state(self) -> KvidGate:
        """What this process knows of the gate."""
        return self._known

    async def start(self) -> None:
        await self._refresh()
        if rules.on_started(self._known, self._now()) != self._known:
            await self._report(rules.on_started, None)
        if self._shared:
            self._loop.start("refresh", self._run())

    async def stop(self, *, grace_s: float) -> None:
        self._stopping.set()
        await self._loop.stop(grace_s=grace_s)

    # --- what is known without asking ---

    def intake_closed_key(self) -> str | None:
        """The message to refuse new jobs with, while kvid refuses us as a whole."""
        return f"failure.{Failure.CLOSED}" if rules.closes_intake(self._known, self._now()) else None

    def pause_s(self) -> float:
        """For how long certainly nobody gets a place."""
        return rules.pause_s(self._known, self._now())

    def is_held_up(self) -> bool:
        """Whether the line stands still and nobody can tell for how long: kvid is away, or refuses us."""
        return rules.is_held_up(self._known)

    # --- places ---

    async def admit(self) -> list[str]:
        """Give the free places to the jobs whose turn it is; the ids of those.

        They are offered to the engine in the same transaction; wake it afterwards. **Transaction** opens one.
        """
        self.has_room = False
        if self.pause_s() > 0:
            return []

        def work(c: Connection) -> tuple[KvidGate, list[str], bool]:
            gate = queries.lock_gate(c, self._new)
            admitted, has_room = self._fill(c, gate, self._read_now(c))
            if admitted:
                gate = _store(c, gate, rules.on_admitted(gate))
                self._engine.offer(c, admitted)
            return gate, admitted, has_room

        self._known, admitted, self.has_room = await self._database.transaction(work)
        return admitted

    def _fill(self, c: Connection, gate: KvidGate, now: datetime) -> tuple[list[str], bool]:
        holders = line_queries.list_place_holders(c)
        running = Counter(holder.owner for holder in holders)
        places = rules.count_places(
            gate,
            concurrency=self._concurrency,
            held=len(holders),
            sending=sum(holder.sending for holder in holders),
            hanging=sum(rules.is_hanging(holder.submitted_at, holder.estimated_s, now) for holder in holders),
            now=now,
        )
        if places <= 0:
            return [], False
        crowded = find_crowded(holders)
        stored = line_queries.list_turns(c)
        turns: tuple[ServerTurn, ...] = tuple(stored)
        admitted: list[str] = []
        # What one look sees may be used up, or be a few members' alone, so a choice is followed by another look.
        for _ in range(LOOKS_MAX):
            left = places - len(admitted)
            # One more than can be taken, or a server with a single job would look as if it had more in line.
            choice = _choose(c, turns, running, crowded, left, min(left + 1, HEADS_PER_FLOW))
            turns = choice.turns
            admitted += line_queries.admit_jobs(c, [job.id for job in choice.jobs], now)
            running.update(job.owner for job in choice.jobs)
            found = bool(choice.jobs) or not choice.crowded <= crowded
            crowded |= choice.crowded
            if not (choice.cut_off and found) or len(admitted) >= places:
                break
        _store_turns(c, stored, turns)
        return admitted, len(admitted) < places

    async def list_next(self, limit: int) -> list[Job]:
        """The jobs in line in the order in which places go to them, but for those that wait for their own member's.

        **Transaction** opens one for reading.
        """

        def work(c: Connection) -> list[Job]:
            crowded = find_crowded(line_queries.list_place_holders(c))
            turns = line_queries.list_turns(c)
            per_flow = HEADS_PER_FLOW
            while True:
                heads = line_queries.list_heads(c, per_flow=per_flow, without=crowded)
                # Places that come free later are free for later jobs of one member, too.
                heads = [replace(job, running_max=limit + 1) for job in heads]
                choice = choose(heads, turns, running={}, places=limit, per_flow=per_flow)
                if not choice.cut_off or per_flow >= limit:
                    return job_queries.list_jobs_of(c, [job.id for job in choice.jobs])
                per_flow *= 2

        return await self._database.read(work)

    async def list_overdue(self) -> list[str]:
        """Jobs that have waited too long in a line that stands still. **Transaction** opens one for reading."""
        if not (self.is_held_up() or self.pause_s()):
            return []
        before = self._clock.now() - timedelta(seconds=LINE_PATIENCE_S)
        return await self._database.read(lambda c: line_queries.list_overdue(c, before, OVERDUE_MAX))

    # --- what kvid said ---

    async def submitted(self) -> None:
        """A submit was accepted. Writes nothing while nothing is wrong; never raises."""
        if rules.on_submitted(self._known, self._concurrency) == self._known:
            return
        await self._report(lambda gate, _now: rules.on_submitted(gate, self._concurrency), None)

    async def failed(self, error: KvidError, *, is_submit: bool) -> None:
        """A call failed. Writes nothing where that says nothing new of kvid; never raises."""
        signal = decide_signal(error, is_submit=is_submit)

        def change(gate: KvidGate, now: datetime) -> KvidGate:
            return rules.on_failed(
                gate,
                signal,
                is_submit=is_submit,
                retry_after_s=error.retry_after_s,
                concurrency=self._concurrency,
                now=now,
            )

        if change(self._known, self._now()) != self._known:
            await self._report(change, error)

    async def _report(
        self, change: Callable[[KvidGate, datetime], KvidGate], error: KvidError | None
    ) -> None:
        def work(c: Connection) -> tuple[KvidGate, KvidGate]:
            before = queries.lock_gate(c, self._new)
            return before, _store(c, before, change(before, self._read_now(c)))

        try:
            before, self._known = await self._database.transaction(work)
        except Exception as trouble:
            if not is_outage(trouble):
                raise
            # What kvid said of one job must not be lost over what it says of all.
            log.warning("gate.report_lost", error=repr(trouble))
            return
        _log_change(before, self._known, error)
        self.on_moved()

    # --- this process' view ---

    def _now(self) -> datetime:
        return self._clock.now() + self._skew

    def _read_now(self, c: Connection) -> datetime:
        return read_clock(c) if self._shared else self._clock.now()

    async def _refresh(self) -> None:
        def look(c: Connection) -> tuple[KvidGate | None, datetime]:
            return queries.find_gate(c), self._read_now(c)

        before = self._known
        known, now = await self._database.read(look)
        self._known = known or self._new
        self._skew = now - self._clock.now() if self._shared else timedelta()
        if self._known != before:
            self.on_moved()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            await wait_for(self._clock, self._stopping, REFRESH_INTERVAL_S)
            try:
                await self._refresh()
            except Exception as error:
                if not is_outage(error):
                    log.exception("gate.refresh_failed")


def find_crowded(holders: Sequence[PlaceHolder]) -> set[Owner]:
    """Members with as many jobs at kvid as they may have."""
    running = Counter(holder.owner for holder in holders)
    return {holder.owner for holder in holders if running[holder.owner] >= holder.running_max}


def _choose(
    c: Connection,
    turns: tuple[ServerTurn, ...],
    running: Counter[Owner],
    crowded: set[Owner],
    places: int,
    per_flow: int,
) -> Choice:
    heads = line_queries.list_heads(c, per_flow=per_flow, without=crowded)
    return choose(heads, turns, running=running, places=places, per_flow=per_flow)


def _store(c: Connection, before: KvidGate, after: KvidGate) -> KvidGate:
    if after != before:
        queries.store_gate(c, after)
    return after


def _store_turns(c: Connection, before: list[ServerTurn], after: tuple[ServerTurn, ...]) -> None:
    kept = set(before)
    line_queries.store_turns(c, [turn for turn in after if turn not in kept])
    line_queries.delete_turns(c, {turn.flow_id for turn in before} - {turn.flow_id for turn in after})


def _log_change(before: KvidGate, after: KvidGate, error: KvidError | None) -> None:
    """Tell the operator of what begins and ends; only the process that moved the gate comes here with it."""
    said = None if error is None else describe(error)
    if after.limits_in_a_row > before.limits_in_a_row:
        log.warning("kvid.rate_limited", error=said, window_jobs=round(after.window_jobs, 1))
    if after.breaker is Breaker.OPEN and before.breaker is Breaker.CLOSED:
        log.error(
            "kvid.breaker_opened",
            error=said,
            failures=after.failures_in_a_row,
            mend="kvid does not answer; check its status and this machine's network. Jobs wait and go on by themselves",
        )
    if after.breaker is Breaker.CLOSED and before.breaker is not Breaker.CLOSED:
        log.info("kvid.breaker_closed", opened_at=before.opened_at)
    if after.refused is not None and before.refused is None:
        log.error(
            "kvid.account_refused",
            error=said,
            mend="Top up the kvid account or put a valid KVID_API_KEY into .env; work goes on by itself",
        )
    if after.refused is None and before.refused is not None:
        log.info("kvid.account_accepted", refused_since=before.refused_since)
