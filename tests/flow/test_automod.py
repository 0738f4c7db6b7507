"""A server's own AutoMod rules through the real process: read when used, when they change and after a restart."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bot.caps.policies import Policies
from bot.clock import SystemClock
from bot.safety.words import WordAction
from db.enums import AuditAction
from db.queries import servers as queries
from tests.flow.acts import entries
from tests.flow.conftest import only_sqlite
from tests.support.member import Member, text_of
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


async def let_manage(servers: Servers) -> None:
    await servers.set_role_permissions(await servers.managed_role(), allow=("MANAGE_GUILD",))


async def use_automod(database: Database, moderator: Member) -> None:
    await Policies(database, SystemClock()).change(
        guild_of(moderator),
        int(moderator.user_id),
        lambda policy: replace(policy, automod_action=WordAction.REFUSE),
        subject="automod_action",
    )


async def until_ready(stack: Stack, moderator: Member) -> None:
    """The bot reads all rules once it knows all servers, a moment after it answers; then it posts its log."""
    log = await stack.servers.add_channel("studio-log")
    await Policies(stack.database, SystemClock()).change(
        guild_of(moderator),
        int(moderator.user_id),
        lambda policy: replace(policy, log_channel_id=int(log)),
        subject="log_channel_id",
    )
    await moderator.wait_for_text(log, "changed the settings", timeout_s=WAIT_S)


def guild_of(member: Member) -> int:
    return int(member.state["guild"]["id"])


async def until(database: Database, moderator: Member, holds: Callable[[Policy], bool]) -> Policy:
    policies = Policies(database, SystemClock())
    async with asyncio.timeout(WAIT_S):
        while True:
            policy = await policies.find(guild_of(moderator))
            if holds(policy):
                return policy
            await asyncio.sleep(LOOK_S)


async def refusal(member: Member, prompt: str) -> str:
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt=prompt)
    told: dict[str, Any] = await member.wait_for_text(studio, "does not allow the word", after=newest)
    assert told["ephemeral_to"] == member.user_id
    return text_of(told)


async def test_rules_are_read_at_the_start_and_whenever_they_change(
    servers: Servers, database: Database, database_url: str, tmp_path: Path
) -> None:
    moderator, member = await Member.join(servers, moderator=True), await Member.join(servers)
    await let_manage(servers)
    rule = await servers.put_automod_rule("No spoilers", "spoiler*", "finale")
    await use_automod(database, moderator)
    async with run_bot(servers, database_url, tmp_path / "bot.log"):
        await until(database, moderator, lambda policy: policy.automod_words == ("spoiler*", "finale"))
        await member.refresh()
        assert "`spoilery`" in await refusal(member, "a spoilery lantern")
        # Changed, added and deleted, each told by the gateway.
        await servers.put_automod_rule("No spoilers", "ending", rule_id=rule)
        await until(database, moderator, lambda policy: policy.automod_words == ("ending",))
        await servers.put_automod_rule(
            "More",
            trigger_metadata={
                "keyword_filter": ["leak"],
                "regex_patterns": [],
                "allow_list": ["ending song"],
            },
        )
        policy = await until(database, moderator, lambda policy: "leak" in policy.automod_words)
        assert policy.automod_allowed == ("ending song",)
        assert "`leak`" in await refusal(member, "a leak of the ending song")
        await servers.delete_automod_rule(rule)
        await until(database, moderator, lambda policy: policy.automod_words == ("leak",))


@only_sqlite
async def test_without_manage_server_the_words_that_were_read_go_on_to_count(stack: Stack) -> None:
    moderator = await stack.member(moderator=True)
    await until_ready(stack, moderator)
    await let_manage(stack.servers)
    await use_automod(stack.database, moderator)
    rule = await stack.servers.put_automod_rule("Rule", "finale")
    await until(stack.database, moderator, lambda policy: policy.automod_words == ("finale",))
    await stack.servers.set_role_permissions(await stack.servers.managed_role(), deny=("MANAGE_GUILD",))
    await stack.servers.put_automod_rule("Rule", "ending", rule_id=rule)
    assert "`finale`" in await refusal(await stack.member(), "the finale")
    [read] = [one for one in await entries(stack, moderator) if one.action is AuditAction.AUTOMOD]
    assert (read.actor_id, read.after) == (0, {"automod_words": ["finale"]})
    # Nobody told of the change meanwhile, so the permission itself is the sign to read.
    await let_manage(stack.servers)
    await until(stack.database, moderator, lambda policy: policy.automod_words == ("ending",))
    managed = await stack.servers.managed_role()
    other = await stack.servers.add_role("Studio", allow=["MANAGE_GUILD"])
    await stack.servers.set_role_permissions(managed, deny=("MANAGE_GUILD",))
    await stack.servers.put_automod_rule("Rule", "encore", rule_id=rule)
    assert "`ending`" in await refusal(await stack.member(), "the ending")
    await stack.servers.set_member_roles(moderator.state["bot"]["id"], [managed, other])
    await until(stack.database, moderator, lambda policy: policy.automod_words == ("encore",))


@only_sqlite
async def test_rules_of_a_server_that_does_not_use_them_are_not_even_read(stack: Stack) -> None:
    moderator = await stack.member(moderator=True)
    await until_ready(stack, moderator)
    await let_manage(stack.servers)
    rule = await stack.servers.put_automod_rule("Rule", "finale")
    await use_automod(stack.database, moderator)
    await stack.servers.put_automod_rule("Rule", "ending", rule_id=rule)
    await until(stack.database, moderator, lambda policy: policy.automod_words == ("ending",))
    asked = [one for one in await stack.servers.bot_requests() if "auto-moderation" in one["path"]]
    assert len(asked) == 1
    before = await stack.database.read(
        lambda c: queries.list_entries(c, guild_of(moderator), limit=10, newest_first=True)
    )
    # The same words again write nothing.
    await stack.servers.put_automod_rule("Renamed", "ending", rule_id=rule)
    async with asyncio.timeout(WAIT_S):
        while True:
            requests = await stack.servers.bot_requests()
            if len([one for one in requests if "auto-moderation" in one["path"]]) == 2:
                break
            await asyncio.sleep(LOOK_S)
    after = await stack.database.read(
        lambda c: queries.list_entries(c, guild_of(moderator), limit=10, newest_first=True)
    )
    assert after == before
