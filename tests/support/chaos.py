"""A run under chaos: a crowd's requests, faults everywhere, processes killed and the database taken away.

Owns what goes wrong and when, by progress and chance that is seeded; the processes, of which it ends only its
own; and the wait until everything has come to rest. What became of each job is told by `tests.support.books`.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from db.engine import Database, is_outage
from db.enums import OPEN
from db.queries import jobs as queries
from db.urls import parse_url
from tests.support.books import Account, Report, compare, read_account
from tests.support.chaos_logs import Start, list_errors, measure_takeovers
from tests.support.chaos_plan import DISCORD_FAULTS, GATEWAY_TROUBLES, KVID_FAULTS
from tests.support.crowd import Crowd
from tests.support.member import Member
from tests.support.process import environment, start_alone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.support.chaos_plan import Plan, Processes
    from tests.support.crowd import Act
    from tests.support.databases import PostgresProcess
    from tests.support.servers import Servers

LOOK_S = 0.25
AT_ONCE = 4
ONLINE_S = 90.0
STOP_S = 20.0
DATABASE_AWAY_S = 3.0
ACCOUNT_EMPTY_S = 3.0
WORD_OWED_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Shape: `takeovers_s` has one entry for each kill of a process that had jobs; `at_rest` says it got there."""

    acts: list[Act]
    report: Report
    account: Account
    kvid: dict[str, Any]
    discord: dict[str, Any]
    kills: int
    outages: int
    takeovers_s: list[float]
    errors: list[str]
    at_rest: bool
    requests_s: float
    total_s: float


class Chaos:
    def __init__(
        self,
        plan: Plan,
        servers: Servers,
        database_url: str,
        folder: Path,
        *,
        processes: Processes,
        postgres: PostgresProcess | None = None,
    ) -> None:
        self.plan = plan
        self.servers = servers
        self.database_url = database_url
        self.processes = processes
        self.starts: list[Start] = []
        self._folder = folder
        self._postgres = postgres
        self._random = random.Random(plan.seed)
        self._running: dict[str, Start] = {}
        self._ending = False
        self._environment = environment(servers, database_url, **plan.settings)

    async def run(self) -> Result:
        begun_s = time.monotonic()
        async with self._all_running():
            crowd = await Crowd.gather(
                self.servers,
                guilds=self.plan.guilds,
                members=self.plan.members,
                channels=1,
                seed=self.plan.seed,
                at_once=AT_ONCE,
                patience_s=self.plan.patience_s,
                pace_s=AT_ONCE / self.plan.requests_per_s,
            )
            await self._spoil()
            requests_begun_s = time.monotonic()
            await self._make_requests(crowd)
            requests_s = time.monotonic() - requests_begun_s
            await self.servers.clear_kvid_faults()
            await self.servers.clear_discord_faults()
            at_rest = await self._come_to_rest()
        database = Database(self.database_url)
        try:
            account = await database.read(read_account)
        finally:
            await database.close()
        kvid, discord = await self.servers.kvid_books(), await self.servers.discord_books()
        return Result(
            acts=crowd.acts,
            report=compare(account, kvid, discord),
            account=account,
            kvid=kvid,
            discord=discord,
            kills=sum(start.killed_at is not None for start in self.starts),
            outages=self.plan.outages,
            takeovers_s=measure_takeovers(self.starts),
            errors=list_errors(self.starts),
            at_rest=at_rest,
            requests_s=requests_s,
            total_s=time.monotonic() - begun_s,
        )

    # --- the processes ---

    @asynccontextmanager
    async def _all_running(self) -> AsyncIterator[None]:
        try:
            for name in self.processes:
                await self._start(name)
            await self._until_online()
            keeping = asyncio.create_task(self._keep_running(), name="keep-running")
            try:
                yield
            finally:
                # Not cancelled: a process that is just being started would be nobody's.
                self._ending = True
                await keeping
        finally:
            for start in self._running.values():
                start.bot.process.send_signal(signal.SIGTERM)
            for start in self._running.values():
                try:
                    await asyncio.wait_for(start.bot.process.wait(), STOP_S)
                except TimeoutError:
                    await start.bot.stop(with_signal=signal.SIGKILL)

    async def _start(self, name: str) -> None:
        log_path = self._folder / f"{name}.{len(self.starts)}.log"
        bot = await start_alone(log_path, self._environment, arguments=self.processes[name])
        start = Start(name=name, log_path=log_path, bot=bot)
        self.starts.append(start)
        self._running[name] = start

    async def _until_online(self) -> None:
        async with asyncio.timeout(ONLINE_S):
            while True:
                state = await Member._state(self.servers, "")
                started = all(start.bot.events("service.started") for start in self._running.values())
                if state["bot_online"] and state["commands"] and started:
                    return
                await asyncio.sleep(LOOK_S)

    async def _kill(self, names: list[str]) -> None:
        while not (alive := [one for one in map(self._running.get, names) if one and _is_alive(one)]):  # noqa: ASYNC110 - processes do it
            await asyncio.sleep(LOOK_S)
        start = self._random.choice(alive)
        start.killed_at = datetime.now(UTC)
        await start.bot.stop(with_signal=signal.SIGKILL)

    async def _keep_running(self) -> None:
        """Start again what ended, as its supervisor would."""
        while not self._ending:
            await asyncio.sleep(LOOK_S)
            for name, start in list(self._running.items()):
                if not _is_alive(start):
                    await asyncio.sleep(self._random.uniform(0.0, 1.0))
                    await self._start(name)

    # --- what goes wrong ---

    async def _spoil(self) -> None:
        rate, seed = self.plan.rate, self.plan.seed
        for number, (kinds, more) in enumerate(KVID_FAULTS):
            await self.servers.kvid_fault_rate(rate, *kinds, seed=seed + number, **more)
        if self.plan.hang_rate:
            await self.servers.kvid_fault_rate(self.plan.hang_rate, "never_finishes", seed=seed + 50)
        for number, (kinds, more) in enumerate(DISCORD_FAULTS):
            await self.servers.discord_fault_rate(rate, *kinds, seed=seed + 100 + number, **more)

    def _plan_troubles(self) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        """Each with the share of the requests after which it happens; outages and kills may fall together."""
        everyone = list(self.processes)
        gateways = [name for name in everyone if name.startswith("gateway")]
        workers = [name for name in everyone if name not in gateways]
        plan, chance = self.plan, self._random
        troubles: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (chance.uniform(0.02, 0.98), lambda: self._kill(workers)) for _ in range(plan.kills)
        ]
        troubles += [
            (chance.uniform(0.1, 0.9), lambda: self._kill(gateways)) for _ in range(plan.gateway_kills)
        ]
        troubles += [
            ((number + 1) / (plan.outages + 1), self._take_database_away) for number in range(plan.outages)
        ]
        troubles += [(chance.uniform(0.2, 0.8), self._empty_account) for _ in range(plan.empty_accounts)]
        for number in range(plan.gateway_troubles):
            trouble = GATEWAY_TROUBLES[number % len(GATEWAY_TROUBLES)]
            troubles.append((chance.random(), partial(self.servers.disturb_gateway, **trouble)))
        return sorted(troubles, key=lambda one: one[0])

    async def _make_trouble(self, crowd: Crowd) -> None:
        for share, happen in self._plan_troubles():
            while sum(act.begun_at_s > 0 for act in crowd.acts) < share * self.plan.jobs:  # noqa: ASYNC110 - the crowd does it
                await asyncio.sleep(LOOK_S)
            await happen()

    async def _empty_account(self) -> None:
        """Intake closes and opens again by itself, when a try succeeds a minute later."""
        balance_credits = (await self.servers.kvid_books())["balance_credits"]
        try:
            await self.servers.set_kvid(balance_credits=0)
            await asyncio.sleep(ACCOUNT_EMPTY_S)
        finally:
            await self.servers.set_kvid(balance_credits=balance_credits)

    async def _take_database_away(self) -> None:
        if self._postgres is not None:
            try:
                await asyncio.to_thread(self._postgres.stop)
                await asyncio.sleep(DATABASE_AWAY_S)
            finally:
                await asyncio.to_thread(self._postgres.start)
        else:
            await asyncio.to_thread(_hold_file, str(parse_url(self.database_url).database))

    async def _make_requests(self, crowd: Crowd) -> None:
        making = asyncio.create_task(crowd.make(self.plan.jobs, width=256, height=256), name="requests")
        troubling = asyncio.create_task(self._make_trouble(crowd), name="trouble")
        try:
            await asyncio.wait({making}, timeout=self.plan.limit_s)
            if making.done():
                making.result()
                # Whatever was due at the very end, and what has been begun is finished.
                await asyncio.wait_for(troubling, ONLINE_S)
        finally:
            await _cancel(making)
            await _cancel(troubling)

    # --- the rest ---

    async def _come_to_rest(self) -> bool:
        """Until no job is open and no member waits for a word; False when that takes too long."""
        end_s = time.monotonic() + self.plan.rest_s
        database = Database(self.database_url)
        quiet = 0
        try:
            while time.monotonic() < end_s:
                try:
                    quiet = quiet + 1 if await _is_at_rest(database) else 0
                except Exception as error:
                    if not is_outage(error):
                        raise
                # Cards are edited a moment after the job's end.
                if quiet >= 5:
                    return True
                await asyncio.sleep(1.0)
        finally:
            await database.close()
        return False


def _is_alive(start: Start) -> bool:
    return start.bot.process.returncode is None


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _is_at_rest(database: Database) -> bool:
    since = datetime.now(UTC) - timedelta(seconds=WORD_OWED_S)
    open_jobs = await database.read(lambda c: queries.count_jobs(c, OPEN))
    untold = await database.read(lambda c: queries.list_untold(c, since, datetime.now(UTC), 1))
    return open_jobs == 0 and not untold


def _hold_file(path: str) -> None:
    """Nobody else may write for a while."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30.0)
    try:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(DATABASE_AWAY_S)
        connection.execute("ROLLBACK")
    finally:
        connection.close()
