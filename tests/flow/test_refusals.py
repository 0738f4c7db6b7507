"""Every rule that says no, through the running bot: who reads what, and that nothing is held.

The rules are changed by another process on the same database, as a second machine would: the bot notices with
its next decision.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from bot.caps.operator import Operator
from bot.caps.service import Caps
from bot.caps.values import Cap, CapOf, OperatorLimits, Policy, Rule
from bot.clock import SystemClock
from bot.credits.rules import next_reset
from bot.i18n import Catalogue
from bot.safety.words import WordAction, WordList
from db.enums import BalancePeriod, BalanceScope, JobState
from db.models import BALANCE, TRANSFER
from tests.flow.conftest import Stack, only_sqlite
from tests.support.member import Member, text_of
from tests.support.process import run_bot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from db.engine import Database
    from db.values import Job
    from tests.support.servers import Servers

CATALOGUE = Catalogue.load()
MODERATOR = 9
SMALL: dict[str, Any] = {"width": 512, "height": 512}
NEEDED = 2
NEW_YORK = ZoneInfo("America/New_York")
DAY, WEEK, MONTH = BalancePeriod.DAY, BalancePeriod.WEEK, BalancePeriod.MONTH
LISTS = (
    WordList(name="refused", action=WordAction.REFUSE, words=("forbidden",)),
    WordList(name="dropped", action=WordAction.DROP, words=("boring",)),
)
_numbers = count(1)


def says(key: str, **params: object) -> str:
    return CATALOGUE.text("en-US", f"failure.{key}", **params)


def resets(period: BalancePeriod) -> int:
    end = next_reset(period, datetime.now(UTC), NEW_YORK)
    assert end is not None
    return int(end.timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """A member and a channel that no other test uses, and the acts of a moderator somewhere else."""

    stack: Stack
    member: Member
    channel: str
    caps: Caps

    @property
    def guild_id(self) -> int:
        return int(self.member.state["guild"]["id"])

    async def decide(self, **changes: Any) -> None:
        """The server's settings are the defaults but for these."""
        await self.caps.policies.change(
            self.guild_id,
            MODERATOR,
            lambda policy: replace(Policy(time_zone=policy.time_zone), **changes),
            subject="test",
        )

    async def ask(self, prompt: str = "a small stage") -> None:
        await self.member.slash(self.channel, "imagine", prompt=prompt, **SMALL)

    async def expect(self, rule: Rule, told: str, *, prompt: str = "a small stage") -> None:
        """A request is refused by this rule with these words, to the member alone, and holds nothing."""
        newest = await self.member.newest_id(self.channel)
        lines = await self.count_lines()
        await self.ask(prompt)
        answer = await self.member.wait_for_exactly(self.channel, told, after=newest)
        assert answer["ephemeral_to"] == self.member.user_id
        assert text_of(answer) == f"{told}\n> {prompt}"
        job = await self.stack.last_job(self.member)
        assert (job.state, job.failure) == (JobState.REFUSED, rule)
        assert await self.count_lines() == lines

    async def count_lines(self) -> int:
        """This member's lines in the ledger."""
        lines = select(func.count()).where(TRANSFER.c.user_id == int(self.member.user_id))
        return await self.stack.database.read(lambda c: c.execute(lines).scalar_one())

    async def make_picture(self) -> dict[str, Any]:
        newest = await self.member.newest_id(self.channel)
        await self.ask()
        result = await self.member.wait_for_result(self.channel, after=newest)
        await self.until_settled(newest)
        return result

    async def until_settled(self, after: str = "0") -> None:
        # The picture is seen a moment before the delivery is written down.
        await self.member.wait_for_text(self.channel, "Here it is", after=after)

    async def job(self) -> Job:
        return await self.stack.last_job(self.member)


@pytest_asyncio.fixture(loop_scope="module")
async def corner(shared: Stack) -> AsyncIterator[Corner]:
    number = next(_numbers)
    user_id = await shared.servers.add_member(f"newcomer_{number}")
    channel = await shared.servers.add_channel(f"corner-{number}")
    member = Member(shared.servers, user_id, await Member._state(shared.servers, user_id))
    caps = Caps(shared.database, SystemClock(), OperatorLimits())
    own = Corner(stack=shared, member=member, channel=channel, caps=caps)
    yield own
    await own.decide()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_blocked_member_reads_until_when(corner: Corner) -> None:
    user_id = int(corner.member.user_id)
    until = await corner.caps.members.block(corner.guild_id, MODERATOR, user_id, for_s=3600)
    await corner.expect(Rule.BLOCKED, says("blocked", until=int(until.timestamp())))
    await corner.caps.members.block(corner.guild_id, MODERATOR, user_id, for_s=None)
    await corner.expect(Rule.BLOCKED, says("blocked_for_good"))
    assert await corner.caps.members.unblock(corner.guild_id, MODERATOR, user_id)
    await corner.make_picture()


async def test_a_blocked_role_is_named(corner: Corner) -> None:
    role = corner.member.role("Lightstick")
    await corner.decide(blocked_roles=(int(role),))
    await corner.stack.servers.set_member_roles(corner.member.user_id, [role])
    await corner.expect(Rule.BLOCKED_ROLE, says("blocked_role", role=role))


async def test_a_denied_channel_and_one_that_is_not_allowed_say_so(corner: Corner) -> None:
    await corner.decide(denied_places=(int(corner.channel),))
    await corner.expect(Rule.CHANNEL, says("channel"))
    studio = corner.member.channel("studio")
    await corner.decide(allowed_places=(int(studio),))
    await corner.expect(Rule.CHANNEL, says("channel_only"))


async def test_a_newcomer_reads_from_when_on(corner: Corner) -> None:
    joined = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    await corner.stack.servers.set_joined_at(corner.member.user_id, joined)
    await corner.decide(tenure_s=2 * 3600)
    allowed = int((joined + timedelta(hours=2)).timestamp())
    await corner.expect(Rule.TENURE, says("tenure_hours", length=2, resets=allowed))


async def test_too_many_on_their_way_says_how_many_may_be(corner: Corner) -> None:
    await corner.decide(running_max=1, waiting_max=0)
    await corner.stack.servers.kvid_fault("submit", {"delay_s": 1.5})
    await corner.ask("the first")
    await corner.member.wait_for_text(corner.channel, "> the first")
    await corner.expect(Rule.QUEUE, says("queue_running_one"), prompt="the second")
    await corner.member.wait_for_result(corner.channel)


async def test_a_cooldown_says_when_to_ask_again(corner: Corner) -> None:
    await corner.make_picture()
    reserved_at = (await corner.job()).created_at
    await corner.decide(cooldown_s=600)
    again = int((reserved_at + timedelta(seconds=600)).timestamp()) + 1
    await corner.expect(Rule.COOLDOWN, says("cooldown_minutes", length=10, resets=again))


async def test_a_forbidden_word_is_named_and_dropped_ones_alone_leave_nothing(corner: Corner) -> None:
    await corner.decide(word_lists=LISTS)
    await corner.expect(
        Rule.WORDS, says("words", word="f o r b i d d e n"), prompt="a f o r b i d d e n stage"
    )
    await corner.expect(Rule.WORDS, says("words_all"), prompt="boring boring")
    await corner.make_picture()


async def test_a_channels_cap_says_what_the_channel_has_left(corner: Corner) -> None:
    await corner.make_picture()
    await corner.decide(channel_caps=(CapOf(id=int(corner.channel), cap=Cap(credits=3, period=WEEK)),))
    told = says("channel_cap_week", needed=NEEDED, left=1, limit=3, resets=resets(WEEK))
    await corner.expect(Rule.CHANNEL_CAP, told)


async def test_a_servers_budget_says_what_the_server_has_left(corner: Corner) -> None:
    await corner.make_picture()
    used = await corner.stack.database.read(
        lambda c: c.execute(
            select(BALANCE.c.used_credits + BALANCE.c.held_credits).where(
                BALANCE.c.scope == BalanceScope.SERVER,
                BALANCE.c.period == MONTH,
                BALANCE.c.guild_id == corner.guild_id,
            )
        ).scalar_one()
    )
    await corner.decide(server_budget_credits=used + 1)
    told = says("server_monthly", needed=NEEDED, left=1, limit=used + 1, resets=resets(MONTH))
    await corner.expect(Rule.SERVER_MONTHLY, told)


async def test_a_members_cap_and_their_granted_credits_are_told(corner: Corner) -> None:
    await corner.decide(member_cap=Cap(credits=NEEDED - 1, period=DAY))
    over = {"needed": NEEDED, "left": NEEDED - 1, "limit": NEEDED - 1, "resets": resets(DAY)}
    await corner.expect(Rule.CAP, says("cap_day_over", **over))
    await corner.decide(member_cap=Cap(credits=NEEDED, period=DAY))
    await corner.make_picture()
    numbers = {"needed": NEEDED, "left": 0, "limit": NEEDED, "resets": resets(DAY)}
    await corner.expect(Rule.CAP, says("cap_day", **numbers))
    user_id = int(corner.member.user_id)
    await corner.caps.grants.grant(corner.guild_id, MODERATOR, user_id, 3, reason="for the test")
    await corner.make_picture()
    await corner.expect(Rule.GRANTED, says("granted_day", granted=1, **numbers))


@pytest.mark.parametrize(
    ("changes", "words", "rule"),
    [
        ({"word_lists": LISTS}, "a forbidden edit", Rule.WORDS),
        ({"member_cap": Cap(credits=2)}, "an edit", Rule.CAP),
    ],
)
async def test_a_reply_is_refused_in_public_without_numbers_and_explains_itself_in_private(
    corner: Corner, changes: dict[str, Any], words: str, rule: Rule
) -> None:
    result = await corner.make_picture()
    await corner.decide(**changes)
    lines = await corner.count_lines()
    reply = await corner.member.say(corner.channel, words, reply_to=result["id"])
    card = await corner.member.wait_for_exactly(
        corner.channel, CATALOGUE.text("en-US", "card.failed_reply"), after=reply["id"]
    )
    assert card["ephemeral_to"] is None
    await corner.member.press(card, "Why?")
    job = await corner.job()
    assert (job.state, job.failure) == (JobState.REFUSED, rule)
    numbers = {"needed": job.reserved_credits, "left": 0, "limit": 2, "resets": resets(DAY)}
    told = says("words", word="forbidden") if rule is Rule.WORDS else says("cap_day", **numbers)
    answer = await corner.member.wait_for_exactly(corner.channel, told, after=card["id"])
    assert answer["ephemeral_to"] == corner.member.user_id
    assert await corner.count_lines() == lines


@only_sqlite
@pytest.mark.asyncio(loop_scope="function")
async def test_the_operators_stop_and_limit_are_told(
    servers: Servers, database: Database, database_url: str, tmp_path: Path
) -> None:
    """They hold for every server and for direct messages, in UTC days."""
    async with _alone(servers, database, database_url, tmp_path) as corner:
        midnight = next_reset(DAY, datetime.now(UTC))
        assert midnight is not None
        await corner.make_picture()
        told = says("member_daily", needed=NEEDED, left=1, limit=3, resets=int(midnight.timestamp()))
        await corner.expect(Rule.MEMBER_DAILY, told)
        limits = OperatorLimits(member_daily_credits=3)
        assert await Operator(database, SystemClock(), corner.caps.policies, limits).stop("for the test")
        await corner.expect(Rule.STOPPED, says("stopped"))


@asynccontextmanager
async def _alone(
    servers: Servers, database: Database, database_url: str, tmp_path: Path
) -> AsyncIterator[Corner]:
    async with run_bot(servers, database_url, tmp_path / "bot.log", MEMBER_DAILY_CREDITS="3") as bot:
        member = await Member.join(servers)
        yield Corner(
            stack=Stack(servers=servers, bot=bot, database=database, database_url=database_url),
            member=member,
            channel=member.channel("studio"),
            caps=Caps(database, SystemClock(), OperatorLimits(member_daily_credits=3)),
        )
