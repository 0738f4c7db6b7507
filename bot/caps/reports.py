"""What members and moderators are shown of credits: read, never written.

Owns the questions behind /usage. Must not know Discord.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.caps.rules import day_of, find_allowance, spendable
from bot.caps.values import Allowance, Cap
from bot.credits import ledger
from bot.credits.rules import next_reset
from db.enums import BalancePeriod
from db.queries import jobs as job_queries

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bot.caps.admission import Admission
    from bot.caps.values import Asker
    from bot.clock import Clock
    from bot.credits.values import Usage
    from db.engine import Database
    from db.values import CreditGrant, Job

RECENT_JOBS_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """What /usage shows. Shape: in a server by its own days, in direct messages over all servers by UTC days."""

    usage: Usage
    allowance: Allowance
    grants: tuple[CreditGrant, ...]
    recent: list[Job]


class Reports:
    def __init__(self, database: Database, clock: Clock, admission: Admission) -> None:
        self._database = database
        self._clock = clock
        self._admission = admission

    async def report_usage(self, asker: Asker) -> UsageReport:
        """**Transaction** opens one: shares of role grants are taken by asking."""
        now = self._clock.now()

        def work(c: Connection) -> UsageReport:
            question = self._admission.ask(c, asker, prompt="", amount_credits=0, now=now)
            if asker.guild_id is None:
                usage = ledger.usage(c, user_id=asker.user_id, now=now)
                limit = question.operator.member_daily_credits
                allowance = Allowance(
                    cap=Cap(credits=limit) if limit is not None else None,
                    used_credits=usage.today_credits,
                    left_credits=max(0, limit - usage.today_credits) if limit is not None else None,
                    resets_at=next_reset(BalancePeriod.DAY, now),
                )
            else:
                usage = ledger.usage_in_server(
                    c,
                    guild_id=asker.guild_id,
                    user_id=asker.user_id,
                    local_date=day_of(now, question.policy),
                )
                allowance = find_allowance(question)
            return UsageReport(
                usage=usage,
                allowance=allowance,
                grants=tuple(spendable(question.snapshot.grants, now)),
                recent=job_queries.list_recent_jobs(c, asker.user_id, RECENT_JOBS_MAX),
            )

        return await self._database.transaction(work)
