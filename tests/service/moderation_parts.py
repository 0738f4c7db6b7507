"""What tests of moderators and givers share: who they are, what they see, and books that agree after each test."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bot.caps.values import Asker
from bot.credits import audit, grants
from db.enums import AuditAction
from db.queries import servers as queries
from tests.service.world import CHANNEL, GUILD, MEMBER, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from db.engine import Database
    from db.values import AuditEntry, CreditGrant

MODERATOR, SECOND_MODERATOR, FRIEND = 10**18 + 90, 10**18 + 91, 10**18 + 92
ROLE, OTHER_GUILD = 10**18 + 100, 10**18 + 500
HOUR_S, DAY_S = 3_600, 86_400


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """After each test the books agree."""
    made = World(database)
    yield made
    assert await database.read(audit.find_differences) == []


def asker(user_id: int = MEMBER, *roles: int) -> Asker:
    return Asker(user_id=user_id, guild_id=GUILD, channel_id=CHANNEL, role_ids=frozenset(roles))


def pass_s(world: World, delay_s: float) -> None:
    """Time passes while nothing happens."""
    world.clock.elapsed_s += delay_s


async def set_policy(world: World, **changes: Any) -> None:
    await world.caps.policies.change(
        GUILD, MODERATOR, lambda policy: replace(policy, **changes), subject="test"
    )


async def entries(world: World, guild_id: int = GUILD) -> list[AuditEntry]:
    found = await world.database.read(lambda c: queries.list_entries(c, guild_id, limit=1000))
    return [one for one in found if one.action is not AuditAction.SETTING]


async def left_of(world: World, user_id: int = MEMBER) -> list[tuple[int, datetime | None]]:
    """What is left of a member's grants, soonest to expire first."""
    now = world.clock.now()
    found = await world.database.read(lambda c: grants.list_spendable(c, GUILD, user_id, now))
    return [(one.left_credits, one.expires_at) for one in found]


async def grant(world: World, amount: int = 20, user_id: int = MEMBER, **more: Any) -> CreditGrant:
    return await world.caps.grants.grant(GUILD, MODERATOR, user_id, amount, reason="for fun", **more)


async def history(world: World, user_id: int = MEMBER, *roles: int) -> Any:
    return await world.caps.histories.find_member(GUILD, user_id, frozenset(roles))
