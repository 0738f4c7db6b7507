"""Each act of a moderator is written down exactly once, and one that is out of range changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.caps.values import Cap
from bot.errors import AppError
from db.enums import AuditAction
from tests.service.doubles import PRICE
from tests.service.moderation_parts import (
    FRIEND,
    MODERATOR,
    ROLE,
    asker,
    entries,
    grant,
    pass_s,
    set_policy,
    world,
)
from tests.service.world import GUILD, MEMBER, World, deliver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from db.values import CreditGrant, Job

__all__ = ["world"]

ACTS: dict[str, tuple[AuditAction, Callable[[World, Job, CreditGrant], Awaitable[object]]]] = {
    "block": (
        AuditAction.BLOCK,
        lambda w, _, __: w.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=60, reason="why"),
    ),
    "unblock": (
        AuditAction.UNBLOCK,
        lambda w, _, __: w.caps.members.unblock(GUILD, MODERATOR, FRIEND, "why"),
    ),
    "cap": (
        AuditAction.MEMBER_CAP,
        lambda w, _, __: w.caps.members.set_member_cap(GUILD, MODERATOR, MEMBER, Cap(credits=None), "why"),
    ),
    "pass": (AuditAction.PASS, lambda w, _, __: w.caps.members.let_pass(GUILD, MODERATOR, MEMBER, "why")),
    "reset": (AuditAction.RESET, lambda w, _, __: w.caps.members.reset(GUILD, MODERATOR, MEMBER, (), "why")),
    "grant": (
        AuditAction.GRANT,
        lambda w, _, __: w.caps.grants.grant(GUILD, MODERATOR, MEMBER, 5, reason="why"),
    ),
    "role": (
        AuditAction.ROLE_GRANT,
        lambda w, _, __: w.caps.grants.grant_role(GUILD, MODERATOR, ROLE, 5, reason="why"),
    ),
    "take_back": (
        AuditAction.CORRECT,
        lambda w, _, g: w.caps.grants.take_back(GUILD, MODERATOR, g.id, "why"),
    ),
    "correct": (
        AuditAction.CORRECT,
        lambda w, _, __: w.caps.grants.correct(GUILD, MODERATOR, MEMBER, 2, reason="why"),
    ),
    "refund": (AuditAction.REFUND, lambda w, j, _: w.caps.pictures.refund(GUILD, MODERATOR, j.id, "why")),
    "hide": (AuditAction.HIDE, lambda w, j, _: w.caps.pictures.hide(GUILD, MODERATOR, j.id, "why")),
}


@pytest.mark.parametrize("name", ACTS)
async def test_each_act_is_written_down_exactly_once(world: World, name: str) -> None:
    """Who, when, about whom, what before, what after, why."""
    await set_policy(world, member_cap=Cap(credits=100))
    job, made = await deliver(world), await grant(world)
    await world.caps.members.block(GUILD, MODERATOR, FRIEND, for_s=None)
    before = await entries(world)
    pass_s(world, 5)
    action, act = ACTS[name]
    await act(world, job, made)
    (entry,) = (await entries(world))[len(before) :]
    assert (entry.action, entry.actor_id, entry.at, entry.reason) == (
        action,
        MODERATOR,
        world.clock.now(),
        "why",
    )
    assert entry.target_id in {MEMBER, FRIEND, ROLE}
    assert entry.before is not None
    assert entry.after is not None
    assert entry.before != entry.after
    assert set(entry.before) & set(entry.after), "what it was and what it is are of the same thing"


@pytest.mark.parametrize("amount", [0, -1, 1_000_001])
async def test_an_amount_out_of_range_changes_nothing(world: World, amount: int) -> None:
    await set_policy(world, gifts_allowed=True)
    caps = world.caps
    for act in (
        caps.grants.grant(GUILD, MODERATOR, MEMBER, amount, reason="x"),
        caps.grants.grant_role(GUILD, MODERATOR, ROLE, amount, reason="x"),
        caps.grants.correct(GUILD, MODERATOR, MEMBER, amount, reason="x"),
        caps.gifts.give(asker(), FRIEND, amount, request_id=1),
        caps.gifts.check(asker(), FRIEND, amount),
    ):
        with pytest.raises(AppError, match=r"moderate\.amount"):
            await act
    assert await entries(world) == []


async def test_a_reason_that_is_too_long_changes_nothing(world: World) -> None:
    long = "x" * 201
    job = await deliver(world)
    for act in (
        grant_for(world, long),
        world.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=60, reason=long),
        world.caps.pictures.refund(GUILD, MODERATOR, job.id, long),
        world.caps.pictures.hide(GUILD, MODERATOR, job.id, long),
    ):
        with pytest.raises(AppError, match=r"moderate\.reason_long"):
            await act
    assert await entries(world) == []
    assert (await world.jobs.get(job.id)).hidden_at is None
    await world.assert_account(used=PRICE)


async def grant_for(world: World, reason: str) -> CreditGrant:
    return await world.caps.grants.grant(GUILD, MODERATOR, MEMBER, 5, reason=reason)
