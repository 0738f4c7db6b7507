"""Process after process on one database: each new one takes up what the last left, and is the next to die.

Owns the order of a case, the clock, and the corner of the local Discord that each case has for itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from bot.card_messages import token_alive
from bot.clock import SystemClock
from bot.jobs.engines.procrastinate import STALLED_S
from tests.crash.books import find_job, look
from tests.crash.victim import END_S, LOOK_S, WORKER
from tests.support.member import Member

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from db.engine import Database
    from db.values import Job
    from tests.crash.outages import Outage
    from tests.crash.scenarios import Scenario
    from tests.crash.victim import Victim
    from tests.support.servers import Servers

# So long nothing may happen before a process counts as having said all it had to say.
QUIET_S = 0.4
# What a process does when everybody knows everything comes within this.
AFTERWARDS_S = 5.0
# A press that such a machine did not acknowledge in time is none, so it is repeated.
ACCEPTED_S = 20.0
# In a fleet another process may do what this one was to die of, too.
TRIES_MAX = 3
_UNHEARD = text(
    "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - make_interval(secs => :seconds)"
)


@dataclass(slots=True, kw_only=True)
class Corner:
    """A member and a channel of one case alone; `request` is what the act was: an interaction or a message."""

    servers: Servers
    member: Member
    channel_id: str
    prompt: str
    request: str = ""
    source: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Case:
    """Shape: the process of this role dies at the boundary; without one nothing is killed."""

    scenario: Scenario
    role: str | None = None
    boundary: str | None = None
    outage: Outage | None = None
    corner: Corner | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        outage = f", {self.outage.name}" if self.outage else ""
        return f"{self.scenario.name}{outage}: {self.role} killed at {self.boundary!r}"


def _pass_time(c: Connection) -> None:
    """For dead workers alone: so long after their last beat that a fleet counts them as dead."""
    c.execute(_UNHEARD, {"seconds": STALLED_S})


class Chain:
    def __init__(self, servers: Servers, database: Database, url: str, victims: Sequence[Victim]) -> None:
        self.servers = servers
        self.database = database
        self.url = url
        self.victims = {victim.role: victim for victim in victims}
        self._ahead_s = 0.0
        self._numbers = count()
        self._state: dict[str, Any] | None = None
        self.cases: list[Case] = []

    async def start(self) -> None:
        for victim in self.victims.values():
            await victim.start(clock_ahead_s=self._ahead_s)

    async def stop(self) -> None:
        for victim in self.victims.values():
            await victim.stop()

    def is_token_alive(self, job: Job) -> bool:
        return token_alive(job, SystemClock().now() + timedelta(seconds=self._ahead_s))

    async def move_clock(self, seconds: float) -> None:
        """Discord's clock at once, and the bot's from its next start."""
        assert len(self.victims) == 1, "the clock of a process that lives on cannot be moved"
        await self.servers.advance_clock(seconds)
        self._ahead_s += seconds

    async def list_boundaries(self, scenario: Scenario) -> dict[str, list[str]]:
        """Let the scenario run undisturbed: what each role came by."""
        case = Case(scenario=scenario)
        self.cases.append(case)
        for _ in range(TRIES_MAX):
            corner = await self._begin(case)
            if await self._is_accepted(corner):
                break
        await self._wait_for_end(case)
        await self._wait_until_quiet()
        assert not case.problems, case.problems
        await scenario.clean_up(corner)
        return {role: victim.list_reached() for role, victim in self.victims.items()}

    async def run(self, case: Case) -> None:
        """Act, die at the boundary, meet the outage, start again, and wait until all is over."""
        self.cases.append(case)
        victim = self.victims[str(case.role)]
        for _ in range(TRIES_MAX):
            corner = await self._begin(case)
            if await self._dies(victim, case):
                break
        else:
            case.problems.append("the boundary was never reached")
            return
        await victim.bury()
        if victim.role == WORKER:
            await self.database.transaction(_pass_time)
        if case.outage is not None:
            await case.outage.strike(self, corner)
        await case.scenario.clean_up(corner)
        await self._let_kvid_finish()
        await victim.start(clock_ahead_s=self._ahead_s)
        await self._wait_for_end(case)

    async def _begin(self, case: Case) -> Corner:
        prompt = f"{case.scenario.name} {next(self._numbers)}"
        corner = case.corner = await self._make_corner(prompt)
        # What an earlier case never got as far as meeting.
        await self.servers.clear_kvid_faults()
        await self._prepare(case.scenario, corner)
        await self._wait_until_quiet()
        for role, victim in self.victims.items():
            await victim.arm(case.boundary if role == case.role else None)
        await case.scenario.act(corner)
        return corner

    async def _prepare(self, scenario: Scenario, corner: Corner) -> None:
        for tries_left in reversed(range(TRIES_MAX)):
            try:
                await scenario.prepare(corner)
            except AssertionError:
                if not tries_left:
                    raise
                await scenario.clean_up(corner)
                await self._let_kvid_finish()
            else:
                return

    async def _is_accepted(self, corner: Corner, *, unless: Callable[[], bool] = lambda: False) -> bool:
        loop = asyncio.get_running_loop()
        end = loop.time() + ACCEPTED_S
        while loop.time() < end and not unless():
            if await self.database.read(lambda c: find_job(c, corner)) is not None:
                return True
            await asyncio.sleep(LOOK_S)
        return False

    async def _dies(self, victim: Victim, case: Case) -> bool:
        """Wait for the kill; False where all is over without it, as where another process was quicker."""
        assert case.corner is not None
        if not await self._is_accepted(case.corner, unless=lambda: not victim.is_alive):
            return not victim.is_alive
        loop = asyncio.get_running_loop()
        end, over_since = loop.time() + END_S, None
        while victim.is_alive and loop.time() < end:
            if over_since is None and await self._is_over(case, anything=False):
                over_since = loop.time()
            if over_since is not None and loop.time() - over_since > AFTERWARDS_S:
                return False
            await asyncio.sleep(LOOK_S)
        return not victim.is_alive

    async def _let_kvid_finish(self) -> None:
        """Whatever was at kvid gets done while the bot is away."""
        async with asyncio.timeout(END_S):
            while True:
                books = await self.servers.kvid_books()
                if not books["waiting"] and not books["rendering"]:
                    return
                await asyncio.sleep(LOOK_S)

    async def _make_corner(self, prompt: str) -> Corner:
        user_id = await self.servers.add_member(prompt.replace(" ", "-"))
        channel_id = await self.servers.add_channel(prompt.replace(" ", "-"))
        # What the page shows grows with every case; of all that, an act needs the bot and its commands alone.
        if self._state is None:
            self._state = await Member._state(self.servers, user_id)
        member = Member(self.servers, user_id, self._state)
        return Corner(servers=self.servers, member=member, channel_id=channel_id, prompt=prompt)

    async def _wait_until_quiet(self) -> None:
        """Until the bot has asked Discord nothing for a while."""
        loop = asyncio.get_running_loop()
        last, since = -1, loop.time()
        while loop.time() - since < QUIET_S:
            requests = await self.servers.count_requests()
            if requests != last:
                last, since = requests, loop.time()
            await asyncio.sleep(LOOK_S)

    async def _wait_for_end(self, case: Case) -> None:
        """Until everybody knows how it ended: what that means is read from the books of kvid and Discord."""
        assert case.corner is not None
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while True:
            # Only a process that was killed may have left the act without a job.
            if await self._is_over(case, anything=case.boundary is not None):
                return
            waited_s = loop.time() - begin
            if waited_s > END_S:
                case.problems.append("it did not come to its end")
                return
            # What takes longer than usual takes minutes, and others need the machine.
            await asyncio.sleep(LOOK_S if waited_s < AFTERWARDS_S else 4 * LOOK_S)

    async def _is_over(self, case: Case, *, anything: bool) -> bool:
        """Shape: with `anything`, no job at all is an end, too."""
        corner = case.corner
        assert corner is not None
        job = await self.database.read(lambda c: find_job(c, corner))
        if job is None:
            return anything
        return job.finished_at is not None and (await look(self, corner)).is_over
