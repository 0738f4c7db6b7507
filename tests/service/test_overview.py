"""Taking a change of settings back, on a real database: written down, and never over what came after it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.caps.overview import Overview
from bot.caps.service import Caps
from bot.caps.values import ENTRIES_MAX, Cap, CapOf, OperatorLimits
from bot.errors import AppError
from db.enums import BalancePeriod
from db.queries import servers as queries
from tests.service.doubles import MovedClock
from tests.service.world import GUILD, MEMBER

if TYPE_CHECKING:
    from bot.caps.values import Policy
    from db.engine import Database

MODERATOR, OTHER = 10**18 + 90, 10**18 + 91


class Office:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = MovedClock()
        self.caps = Caps(database, self.clock, OperatorLimits())
        self.overview = Overview(database, self.clock, self.caps.policies)

    async def change(self, subject: str, **settings: object) -> int:
        def apply(policy: Policy) -> Policy:
            return replace(policy, **settings)  # type: ignore[arg-type]  # fields of Policy by name

        return (await self.caps.policies.change(GUILD, MODERATOR, apply, subject=subject)).entry_id

    async def undo(self, entry_id: int, guild_id: int = GUILD) -> Policy:
        _, changed = await self.overview.undo(guild_id, OTHER, entry_id, locale=None)
        return changed.policy


async def test_an_undo_sets_back_one_setting_and_is_written_down(database: Database) -> None:
    office = Office(database)
    entry = await office.change("member_cap", member_cap=Cap(credits=5))
    await office.change("running_max", running_max=7)
    policy = await office.undo(entry)
    assert (policy.member_cap, policy.running_max) == (None, 7)
    assert await office.caps.policies.find(GUILD) == policy
    last = (await database.read(lambda c: queries.list_entries(c, GUILD, limit=9)))[-1]
    assert (last.actor_id, last.subject) == (OTHER, "member_cap")
    assert last.before is not None
    assert last.after == {"member_cap": None}


async def test_an_undo_can_be_undone(database: Database) -> None:
    office = Office(database)
    entry = await office.change("cooldown_s", cooldown_s=30)
    _, undone = await office.overview.undo(GUILD, OTHER, entry, locale=None)
    assert undone.policy.cooldown_s == 0
    assert (await office.undo(undone.entry_id)).cooldown_s == 30


async def test_an_undo_of_one_role_keeps_what_came_for_another(database: Database) -> None:
    office = Office(database)
    one, two = CapOf(id=1, cap=Cap(credits=1)), CapOf(id=2, cap=Cap(credits=2))
    entry = await office.change("role_caps:1", role_caps=(one,))
    await office.change("role_caps:2", role_caps=(one, two))
    assert (await office.undo(entry)).role_caps == (two,)


async def test_what_has_no_room_any_more_is_not_set_back(database: Database) -> None:
    office = Office(database)
    caps = tuple(CapOf(id=number, cap=Cap(credits=5)) for number in range(1, ENTRIES_MAX + 2))
    await office.change("role_caps", role_caps=caps[:-1])
    entry = await office.change("role_caps:1", role_caps=caps[1:-1])
    await office.change("role_caps:99", role_caps=caps[1:])
    with pytest.raises(AppError, match=r"panel\.undo_unknown"):
        await office.undo(entry)
    assert (await office.caps.policies.find(GUILD)).role_caps == caps[1:]


async def test_a_setting_that_was_changed_since_is_left_as_it_is(database: Database) -> None:
    office = Office(database)
    entry = await office.change("member_cap", member_cap=Cap(credits=5))
    await office.change("member_cap", member_cap=Cap(credits=6))
    with pytest.raises(AppError) as refused:
        await office.undo(entry)
    assert refused.value.key == "panel.undo_late"
    assert (await office.caps.policies.find(GUILD)).member_cap == Cap(credits=6)


async def test_what_is_no_change_of_this_servers_settings_cannot_be_undone(database: Database) -> None:
    office = Office(database)
    entry = await office.change("member_cap", member_cap=Cap(credits=5))
    await office.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=None)
    block = (await database.read(lambda c: queries.list_entries(c, GUILD, limit=9)))[-1]
    for entry_id, guild_id in ((entry, GUILD + 1), (entry + 50, GUILD), (0, GUILD), (block.id, GUILD)):
        with pytest.raises(AppError) as refused:
            await office.undo(entry_id, guild_id)
        assert refused.value.key in {"panel.undo_unknown", "panel.undo_late"}
    assert (await office.caps.policies.find(GUILD)).member_cap == Cap(credits=5)


async def test_members_with_decisions_of_their_own_are_found(database: Database) -> None:
    office = Office(database)
    await office.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=60)
    await office.caps.members.set_member_cap(
        GUILD, MODERATOR, MEMBER + 1, Cap(credits=3, period=BalancePeriod.WEEK)
    )
    decided = await office.overview.find_decided(GUILD)
    assert [one.user_id for one in decided.blocked] == [MEMBER]
    assert [(one.user_id, one.cap_credits) for one in decided.capped] == [(MEMBER + 1, 3)]
    office.clock.elapsed_s += 61
    assert (await office.overview.find_decided(GUILD)).blocked == ()
