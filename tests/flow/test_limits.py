"""The two plain limits, pressed by many at once, through the real process on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.credits import audit
from db.enums import JobState
from db.queries import jobs as queries
from tests.support.cli import run_cli
from tests.support.member import Member, text_of
from tests.support.process import run_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from pathlib import Path

    from db.engine import Database

MEMBERS, ADMITTED, PRICE_CREDITS = 50, 20, 2


async def test_exactly_as_many_jobs_as_the_server_may_spend(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """50 members press at once where 20 jobs fit: 20 are accepted, 30 refused, the audit is clean."""
    limit = str(ADMITTED * PRICE_CREDITS)
    async with (
        run_servers(crowd=MEMBERS) as servers,
        run_bot(servers, database_url, tmp_path / "bot.log", SERVER_MONTHLY_CREDITS=limit) as bot,
    ):
        members = [await Member.join(servers, skip=number) for number in range(MEMBERS)]
        studio = members[0].channel("studio")
        await asyncio.gather(
            *(m.slash(studio, "imagine", prompt="all at once", width=512, height=512) for m in members)
        )
        cards = await asyncio.gather(
            *(
                m.wait_for(
                    studio,
                    lambda x: "Here it is" in text_of(x) or "this server has" in text_of(x),
                    timeout_s=90,
                )
                for m in members
            )
        )
        refusals = [card for card in cards if "this server has" in text_of(card)]
        assert len(refusals) == MEMBERS - ADMITTED
        next_month = _next_month(datetime.now(UTC))
        for refusal in refusals:
            assert "This needs 2 credits, and this server has 0 of 40 left this month" in text_of(refusal)
            assert f"<t:{int(next_month.timestamp())}:R>" in text_of(refusal)
            assert refusal["ephemeral_to"] is not None
        delivered = await database.read(lambda c: queries.count_jobs(c, frozenset({JobState.DELIVERED})))
        assert delivered == ADMITTED
        books = await servers.kvid_books()
        assert (books["submits"], books["charged_credits"]) == (ADMITTED, ADMITTED * PRICE_CREDITS)
        assert len(bot.events("job.refused")) == MEMBERS - ADMITTED
    assert await database.read(audit.find_differences) == []
    code, output = await run_cli("ledger", "audit", DATABASE_URL=database_url)
    assert (code, output.strip()) == (0, "The ledger agrees.")


def _next_month(now: datetime) -> datetime:
    """The server's language is American English, so its month ends at midnight in New York."""
    there = now.astimezone(ZoneInfo("America/New_York"))
    year, month = (there.year + 1, 1) if there.month == 12 else (there.year, there.month + 1)
    return datetime(year, month, 1, tzinfo=there.tzinfo)
