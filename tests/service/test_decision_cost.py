"""How many statements a decision costs: three on the warm path, whatever limits, words and refusals there are."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from bot.caps.values import Approval, Asker, Cap, CapOf, OperatorLimits, Policy, Refusal
from bot.safety.words import WordAction, WordList
from db.enums import BalancePeriod
from tests.db.builders import store_job
from tests.service.doubles import PRICE
from tests.service.world import CHANNEL, GUILD, MEMBER, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from db.engine import Database

STATEMENTS_MAX = 3
MODERATOR = MEMBER + 9
ASKER = Asker(user_id=MEMBER, guild_id=GUILD, channel_id=CHANNEL, role_ids=frozenset({5, 6}), locale="ko")
POLICY = Policy(
    time_zone="Asia/Seoul",
    member_cap=Cap(credits=10 * PRICE),
    role_caps=(CapOf(id=5, cap=Cap(credits=90 * PRICE, period=BalancePeriod.WEEK)),),
    channel_caps=(CapOf(id=CHANNEL, cap=Cap(credits=500 * PRICE, period=BalancePeriod.MONTH)),),
    server_budget_credits=1_000 * PRICE,
    word_lists=(WordList(name="list", action=WordAction.REFUSE, words=("forbidden",)),),
)
OPERATOR = OperatorLimits(member_daily_credits=100 * PRICE, server_monthly_credits=900 * PRICE)


@contextmanager
def counted(c: Connection) -> Iterator[list[str]]:
    """Every statement that the driver gets meanwhile."""
    ran: list[str] = []

    def note(*call: object) -> None:
        ran.append(str(call[2]))

    event.listen(c, "before_cursor_execute", note)
    try:
        yield ran
    finally:
        event.remove(c, "before_cursor_execute", note)


async def decide(world: World, asker: Asker, prompt: str = "a stage at night") -> tuple[object, list[str]]:
    """The answer to one request, its credits held where it is allowed; and what that asked of the database."""
    now = world.clock.now()

    def work(c: Connection) -> tuple[object, list[str]]:
        job = store_job(c, user_id=asker.user_id, guild_id=asker.guild_id, created_at=now, updated_at=now)
        with counted(c) as ran:
            ruling = world.caps.admission.look(c, asker, prompt=prompt, amount_credits=PRICE, now=now)
            if isinstance(ruling.answer, Approval):
                world.caps.admission.hold(c, ruling, job)
        return ruling.answer, ran

    return await world.database.transaction(work)


@pytest.fixture
async def world(database: Database) -> World:
    made = World(database, limits=OPERATOR)
    await made.caps.policies.change(GUILD, MODERATOR, lambda _: POLICY, subject="test")
    return made


@pytest.mark.parametrize("asker", [ASKER, Asker(user_id=MEMBER)], ids=["server", "direct message"])
async def test_a_decision_asks_the_database_three_times(world: World, asker: Asker) -> None:
    # The first of a day creates the day's counters.
    await decide(world, asker)
    answer, ran = await decide(world, asker)
    assert isinstance(answer, Approval)
    assert len(ran) == STATEMENTS_MAX, ran


async def test_granted_credits_that_are_not_needed_cost_nothing(world: World) -> None:
    for _ in range(3):
        await world.caps.grants.grant(GUILD, MODERATOR, MEMBER, 5, reason="for the test")
    await decide(world, ASKER)
    answer, ran = await decide(world, ASKER)
    assert isinstance(answer, Approval)
    assert len(ran) == STATEMENTS_MAX, ran


@pytest.mark.parametrize(
    ("policy", "prompt"),
    [
        (replace(POLICY, role_caps=(), member_cap=Cap(credits=0)), "a stage"),
        (replace(POLICY, server_budget_credits=0), "a stage"),
        (POLICY, "forbidden"),
    ],
    ids=["cap", "budget", "words"],
)
async def test_a_refusal_costs_one_look(world: World, policy: Policy, prompt: str) -> None:
    await world.caps.policies.change(GUILD, MODERATOR, lambda _: policy, subject="test")
    answer, ran = await decide(world, ASKER, prompt)
    assert isinstance(answer, Refusal)
    assert len(ran) == 1, ran
