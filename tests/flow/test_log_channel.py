"""The log channel through the real process: every act once, in order, without pings, and again after a restart."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.caps.policies import Policies
from bot.clock import SystemClock
from db.engine import run_once
from db.enums import AuditAction
from db.models import SERVER
from db.queries import servers as queries
from db.values import AuditEntry
from tests.flow.conftest import only_sqlite
from tests.flow.panel_acts import open_panel
from tests.support.cli import run_cli
from tests.support.member import Member, UserOption, text_of
from tests.support.process import run_bot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.caps.values import Policy
    from db.engine import Database
    from tests.flow.conftest import Stack
    from tests.support.servers import Servers

WAIT_S = 60.0
LOOK_S = 0.03


def guild_of(member: Member) -> int:
    return int(member.state["guild"]["id"])


async def change(
    database: Database, moderator: Member, change: Callable[[Policy], Policy], subject: str = "test"
) -> int:
    """Change settings from another process. Shape: the entry's number."""
    policies = Policies(database, SystemClock())
    changed = await policies.change(guild_of(moderator), int(moderator.user_id), change, subject=subject)
    return changed.entry_id


async def open_log(database: Database, moderator: Member) -> str:
    """Make a channel and choose it for the log. Shape: its id."""
    channel = await moderator.servers.add_channel("studio-log")
    await change(database, moderator, lambda policy: replace(policy, log_channel_id=int(channel)))
    return channel


async def set_zone(moderator: Member, zone: str) -> None:
    studio = moderator.channel("studio")
    newest = await moderator.newest_id(studio)
    await moderator.slash(studio, "studio timezone", zone=zone)
    await moderator.wait_for_text(studio, zone, after=newest)


async def posted_id(database: Database, guild_id: int) -> int:
    found = await database.read(lambda c: queries.find_server(c, guild_id))
    return found.posted_entry_id if found is not None else 0


async def until_posted(database: Database, guild_id: int, entry_id: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            if await posted_id(database, guild_id) >= entry_id:
                return
            await asyncio.sleep(LOOK_S)


async def newest_entry(database: Database, guild_id: int) -> int:
    found = await database.read(lambda c: queries.list_entries(c, guild_id, limit=1, newest_first=True))
    return found[0].id


async def log_of(servers: Servers, channel: str) -> list[dict[str, Any]]:
    return [one for one in await servers.all_messages(channel) if one["author"].get("bot")]


async def test_changes_are_told_in_order_once_and_without_pings(stack: Stack) -> None:
    moderator = await stack.member(moderator=True)
    member = await stack.member()
    await set_zone(moderator, "Europe/Paris")
    log = await open_log(stack.database, moderator)
    await set_zone(moderator, "Asia/Seoul")
    told = await moderator.wait_for_text(log, "Asia/Seoul", timeout_s=WAIT_S)
    assert f"<@{moderator.user_id}> changed the settings." in text_of(told)
    assert "Time zone: Europe/Paris → **Asia/Seoul**" in text_of(told)
    await until_posted(
        stack.database, guild_of(moderator), await newest_entry(stack.database, guild_of(moderator))
    )
    first, second = await log_of(stack.servers, log)
    assert f"<#{log}>" in text_of(first), "it begins with the choice of the channel"
    assert second["id"] == told["id"]
    # An act on a member whose reason tries to ping and to format.
    await Policies(stack.database, SystemClock()).change(
        guild_of(moderator), 0, lambda policy: replace(policy, operator_budget_credits=90), subject="budget"
    )
    await set_zone(moderator, "Asia/Tokyo")
    await moderator.wait_for_text(log, "Asia/Tokyo", timeout_s=WAIT_S)
    *_, budget, _last = await log_of(stack.servers, log)
    assert "My operator changed the settings." in text_of(budget)
    assert "Budget by my operator, a month: none → **90 credits**" in text_of(budget)
    for message in await log_of(stack.servers, log):
        assert message["mentions"] == []
    assert member.user_id != moderator.user_id


@only_sqlite
async def test_what_the_command_line_does_is_told_too_and_reasons_are_plain_words(
    stack: Stack, tmp_path: Path
) -> None:
    moderator, member = await stack.member(moderator=True), await stack.member()
    log = await open_log(stack.database, moderator)
    code, printed = await run_cli(
        *("credits", "grant", "--server", str(guild_of(moderator)), "--member", member.user_id),
        *("--amount", "30", "--reason", f"**sorry** @everyone <@{member.user_id}>"),
        folder=tmp_path,
        keys={},
        DATABASE_URL=stack.database_url,
    )
    assert code == 0, printed
    told = await moderator.wait_for_text(log, "granted credits to", timeout_s=WAIT_S)
    words = text_of(told)
    assert f"My operator granted credits to <@{member.user_id}>." in words
    assert "Credits: **30 credits**" in words
    assert "\\*\\*sorry\\*\\*" in words
    assert told["mentions"] == []
    assert not told["mention_everyone"]


async def test_a_restart_posts_what_was_not_posted_and_nothing_twice(
    servers: Servers, database: Database, database_url: str, tmp_path: Path
) -> None:
    moderator = await Member.join(servers, moderator=True)
    guild_id = guild_of(moderator)
    old = AuditEntry(
        guild_id=guild_id,
        at=datetime.now(UTC) - timedelta(hours=1),
        actor_id=int(moderator.user_id),
        action=AuditAction.UNBLOCK,
        subject="blocked_until",
        target_id=int(moderator.user_id),
    )
    log = await open_log(database, moderator)
    old_id = run_once(database_url, lambda c: queries.append_entry(c, old))
    new_id = await change(database, moderator, lambda policy: replace(policy, cooldown_s=60))
    for _ in range(2):
        async with run_bot(servers, database_url, tmp_path / "bot.log"):
            await until_posted(database, guild_id, new_id)
        assert [_number(one) for one in await log_of(servers, log)] == [old_id - 1, old_id, new_id]
        # As a kill between the post and the note of it would leave it: Discord knows the nonce of new entries.
        run_once(database_url, lambda c: c.execute(SERVER.update().values(posted_entry_id=old_id - 1)))
        await servers.advance_clock(60)


def _number(message: dict[str, Any]) -> int:
    return int(text_of(message).rpartition("-# #")[2].partition(" ")[0])


@only_sqlite
async def test_a_closed_log_channel_loses_nothing_and_the_panel_says_that_it_is_closed(stack: Stack) -> None:
    moderator = await stack.member(moderator=True)
    guild_id = guild_of(moderator)
    log = await open_log(stack.database, moderator)
    await set_zone(moderator, "Asia/Seoul")
    await until_posted(stack.database, guild_id, await newest_entry(stack.database, guild_id))
    await stack.servers.set_bot_permissions(log, deny=["SEND_MESSAGES"])
    for zone in ("Asia/Tokyo", "Europe/Paris"):
        await set_zone(moderator, zone)
    await until_closed(stack)
    panel = await open_panel(moderator, "more")
    assert "Nothing is posted there now" in text_of(panel)
    await stack.servers.set_bot_permissions(log, allow=["SEND_MESSAGES"])
    await set_zone(moderator, "Europe/Rome")
    await moderator.wait_for_text(log, "Europe/Rome", timeout_s=WAIT_S)
    words = "\n".join(text_of(one) for one in await log_of(stack.servers, log))
    for zone in ("Asia/Seoul", "Asia/Tokyo", "Europe/Paris"):
        assert f"→ **{zone}**" in words
    await until_posted(stack.database, guild_id, await newest_entry(stack.database, guild_id))
    assert "Nothing is posted there now" not in text_of(await open_panel(moderator, "more"))
    await moderator.slash(moderator.channel("studio"), "studio member", member=UserOption(moderator.user_id))


async def until_closed(stack: Stack) -> list[int]:
    async with asyncio.timeout(WAIT_S):
        while True:
            if found := stack.bot.events("log_channel.closed"):
                return [one["code"] for one in found]
            await asyncio.sleep(LOOK_S)


@only_sqlite
async def test_a_deleted_log_channel_does_no_harm(stack: Stack) -> None:
    moderator = await stack.member(moderator=True)
    log = await stack.servers.add_channel("studio-log")
    await change(stack.database, moderator, lambda policy: replace(policy, log_channel_id=int(log)))
    await stack.servers.delete_channel(log)
    await set_zone(moderator, "Asia/Seoul")
    assert await until_closed(stack) == [10003]


async def test_coming_and_going_are_remembered(stack: Stack) -> None:
    moderator = await stack.member(moderator=True)
    guild_id = guild_of(moderator)

    async def until(*, left: bool) -> None:
        """The bot meets its servers when it is ready, a moment after it answers."""
        async with asyncio.timeout(WAIT_S):
            while True:
                found = await stack.database.read(lambda c: queries.find_server(c, guild_id))
                if found is not None and (found.left_at is not None) is left:
                    return
                await asyncio.sleep(LOOK_S)

    await until(left=False)
    await stack.servers.kick_bot()
    await until(left=True)
    await stack.servers.invite_bot()
    await until(left=False)


async def test_a_server_that_removed_the_bot_while_it_was_away_is_left(
    servers: Servers, database: Database, database_url: str, tmp_path: Path
) -> None:
    other = 10**18
    clock = SystemClock()
    policies = Policies(database, clock)
    await policies.meet({other: "ko"})
    async with run_bot(servers, database_url, tmp_path / "bot.log"), asyncio.timeout(WAIT_S):
        while True:
            found = await database.read(lambda c: queries.find_server(c, other))
            if found is not None and found.left_at is not None:
                break
            await asyncio.sleep(LOOK_S)
    moderator = await Member.join(servers, moderator=True)
    assert (await policies.find(guild_of(moderator))).time_zone == "America/New_York"
