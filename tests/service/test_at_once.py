"""Two hundred requests at one moment where exactly thirty fit: in one process, and in two on one database."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from bot.caps.values import Asker, Cap, CapOf, OperatorLimits, Policy
from bot.credits import audit
from bot.errors import Refused
from db.enums import BalancePeriod, BalanceScope, JobState, TransferKind
from db.models import BALANCE, TRANSFER
from db.queries import jobs as job_queries
from tests.service.doubles import PRICE
from tests.service.world import CHANNEL, GUILD, MEMBER, World

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.engine import Database

PRESSES, FIT = 200, 30
FITTING_CREDITS = FIT * PRICE
WORKERS = 2
WORKER_TIMEOUT_S = 60
MODERATOR = 10**18 + 9
FIRST_REQUEST = 10**17


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One limit that thirty requests reach, and whose requests they are."""

    rule: str
    policy: Policy = field(default_factory=Policy)
    operator: OperatorLimits = field(default_factory=OperatorLimits)
    granted_credits: int = 0
    same_member: bool = True

    def asker(self, index: int) -> Asker:
        user_id = MEMBER if self.same_member else MEMBER + index
        return Asker(user_id=user_id, guild_id=GUILD, channel_id=CHANNEL)


CROWDED = Policy(running_max=10, waiting_max=50)
BOUNDS = {
    "member cap": Bound(
        rule="cap",
        policy=replace(CROWDED, member_cap=Cap(credits=FITTING_CREDITS, period=BalancePeriod.WEEK)),
    ),
    "channel cap": Bound(
        rule="channel_cap",
        policy=Policy(channel_caps=(CapOf(id=CHANNEL, cap=Cap(credits=FITTING_CREDITS + PRICE - 1)),)),
        same_member=False,
    ),
    "server budget": Bound(
        rule="server_monthly", policy=Policy(server_budget_credits=FITTING_CREDITS), same_member=False
    ),
    "operator's limit": Bound(
        rule="member_daily",
        policy=CROWDED,
        operator=OperatorLimits(member_daily_credits=FITTING_CREDITS),
    ),
    "queue": Bound(rule="queue", policy=Policy(running_max=5, waiting_max=25)),
    "grants": Bound(
        rule="cap", policy=replace(CROWDED, member_cap=Cap(credits=0)), granted_credits=FITTING_CREDITS
    ),
    "allowance and grants": Bound(
        rule="granted",
        policy=replace(CROWDED, member_cap=Cap(credits=101)),
        granted_credits=FITTING_CREDITS - 101 + PRICE - 1,
    ),
}


async def prepare(world: World, bound: Bound) -> None:
    await world.caps.policies.change(GUILD, MODERATOR, lambda _: bound.policy, subject="test")
    left = bound.granted_credits
    while left > 0:
        # Many small grants, so that a request needs several of them.
        amount = min(left, 11)
        await world.caps.grants.grant(GUILD, MODERATOR, MEMBER, amount, reason="for the test")
        left -= amount


async def press(world: World, bound: Bound, index: int) -> str:
    """One press: "accepted", or the rule that refused it."""
    try:
        await world.accept(asker=bound.asker(index), request_id=FIRST_REQUEST + index)
    except Refused as refused:
        job = await world.jobs.get(str(refused.params["job_id"]))
        assert job.state is JobState.REFUSED
        return job.failure or ""
    return "accepted"


async def assert_exact(database: Database) -> None:
    """Thirty jobs hold credits, the others hold none, and every counter says so."""

    def look(c: Connection) -> tuple[int, int, int, int]:
        reserves = c.execute(
            select(func.count(), func.sum(TRANSFER.c.amount_credits)).where(
                TRANSFER.c.kind == TransferKind.RESERVE
            )
        ).one()
        held = c.execute(
            select(BALANCE.c.held_credits, BALANCE.c.held_jobs).where(
                BALANCE.c.scope == BalanceScope.SERVER, BALANCE.c.period == BalancePeriod.EVER
            )
        ).one()
        assert (held.held_credits, held.held_jobs) == (reserves[1], reserves[0])
        refused = job_queries.count_jobs(c, frozenset({JobState.REFUSED}))
        return reserves[0], reserves[1], job_queries.count_jobs(c, frozenset({JobState.RESERVED})), refused

    assert await database.read(look) == (FIT, FITTING_CREDITS, FIT, PRESSES - FIT)
    assert await database.read(audit.find_differences) == []


@pytest.mark.parametrize("name", BOUNDS)
async def test_of_200_requests_at_once_exactly_the_30_that_fit_are_accepted(
    database: Database, name: str
) -> None:
    bound = BOUNDS[name]
    world = World(database, limits=bound.operator)
    await prepare(world, bound)
    answers = Counter(await asyncio.gather(*(press(world, bound, index) for index in range(PRESSES))))
    assert answers["accepted"] == FIT
    others = set(answers) - {"accepted"}
    # Whoever finds a last granted credit or two is told of them.
    assert others <= {bound.rule, *(("granted", "cap") if bound.granted_credits else ())}
    assert others
    await assert_exact(database)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", ["member cap", "allowance and grants"])
async def test_two_processes_let_exactly_30_of_200_through(
    database: Database, database_url: str, name: str
) -> None:
    bound = BOUNDS[name]
    await prepare(World(database, limits=bound.operator), bound)
    started = [await start_worker(database_url, name, number) for number in range(WORKERS)]
    try:
        for worker in started:
            assert worker.stdout is not None
            assert await asyncio.wait_for(worker.stdout.readline(), WORKER_TIMEOUT_S) == b"ready\n"
        finished = await asyncio.gather(
            *(asyncio.wait_for(worker.communicate(b"go\n"), WORKER_TIMEOUT_S) for worker in started)
        )
    finally:
        for worker in started:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
    answers: Counter[str] = Counter()
    for (output, _), worker in zip(finished, started, strict=True):
        assert worker.returncode == 0
        answers.update(json.loads(output))
    assert answers["accepted"] == FIT
    assert answers.total() == PRESSES
    await assert_exact(database)


async def start_worker(database_url: str, name: str, number: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.service.presses",
        database_url,
        name,
        str(number),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
