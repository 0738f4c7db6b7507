"""What moderators are shown of one member and of one picture: read, never written.

Owns the questions behind the member's card and the card of a picture. Must not know Discord.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.caps.limits import keys_of, spendable
from bot.caps.pictures import get_picture
from bot.caps.rules import Question, find_allowance
from bot.caps.values import Allowance, Asker, Snapshot
from bot.credits import spending
from bot.credits.rules import build_key
from db.enums import BalanceScope
from db.queries import decisions, histories
from db.queries import jobs as job_queries
from db.queries import servers as server_queries

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from bot.caps.policies import Policies
    from bot.caps.values import OperatorLimits
    from bot.clock import Clock
    from bot.credits.values import Usage
    from db.engine import Database
    from db.values import AuditEntry, CreditGrant, Job, Membership, RoleGrant

PICTURES_MAX = 10
ACTS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPicture:
    """One request of a member; `refunded`: a moderator gave its credits back."""

    job: Job
    refunded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPicture(PastPicture):
    """One picture and its member, as moderators of messages see them.

    Shape: `blocked_until` is the end of a block that runs, `FOREVER` for one without, None for none.
    """

    now: datetime
    blocked_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberHistory:
    """One member of one server, as its moderators see them.

    Units: whole credits. `forgivable_credits` is what a fresh start of the allowance would forgive.
    Shape: `offers` wait for the member's next request; pictures and acts are newest first, and the private
    pictures' words are the member's own.
    """

    user_id: int
    now: datetime
    allowance: Allowance
    forgivable_credits: int
    usage: Usage
    grants: tuple[CreditGrant, ...]
    offers: tuple[RoleGrant, ...]
    membership: Membership | None
    pictures: tuple[PastPicture, ...]
    acts: tuple[AuditEntry, ...]

    @property
    def granted_credits(self) -> int:
        return sum(one.left_credits for one in self.grants)

    @property
    def blocked_until(self) -> datetime | None:
        """The end of a block that runs."""
        return _running_until(self.membership, self.now)

    @property
    def has_pass(self) -> bool:
        until = self.membership.pass_until if self.membership else None
        return until is not None and until > self.now


class Histories:
    def __init__(
        self, database: Database, clock: Clock, policies: Policies, operator: OperatorLimits
    ) -> None:
        self._database = database
        self._clock = clock
        self._policies = policies
        self._operator = operator

    async def find_member(
        self, guild_id: int, user_id: int, role_ids: frozenset[int], locale: str | None = None
    ) -> MemberHistory:
        """Everything that is known of a member here; without their roles, as if they had none."""
        now = self._clock.now()
        asker = Asker(user_id=user_id, guild_id=guild_id, role_ids=role_ids, locale=locale)
        return await self._database.read(lambda c: self._read_member(c, asker, guild_id, now))

    async def find_picture(self, guild_id: int, job_id: str) -> SeenPicture:
        """**Raises** AppError when this server has no such picture."""
        now = self._clock.now()

        def read(c: Connection) -> SeenPicture:
            job = get_picture(c, guild_id, job_id)
            membership = server_queries.find_membership(c, guild_id, job.user_id)
            return SeenPicture(
                job=job,
                refunded=bool(histories.list_refunded(c, [job_id])),
                now=now,
                blocked_until=_running_until(membership, now),
            )

        return await self._database.read(read)

    def _read_member(self, c: Connection, asker: Asker, guild_id: int, now: datetime) -> MemberHistory:
        question = self._build_question(c, asker, guild_id, now)
        allowance = find_allowance(question)
        jobs = job_queries.list_jobs_in_server(c, guild_id, asker.user_id, PICTURES_MAX)
        refunded = histories.list_refunded(c, [job.id for job in jobs])
        return MemberHistory(
            user_id=asker.user_id,
            now=now,
            allowance=allowance,
            forgivable_credits=_find_forgivable(c, question, allowance, guild_id),
            usage=spending.find_usage_in_server(
                c, guild_id=guild_id, user_id=asker.user_id, local_date=question.local_date
            ),
            grants=tuple(spendable(question.snapshot.grants, now)),
            offers=question.snapshot.offers,
            membership=question.snapshot.membership,
            pictures=tuple(PastPicture(job=job, refunded=job.id in refunded) for job in jobs),
            acts=tuple(
                server_queries.list_entries(
                    c, guild_id, limit=ACTS_MAX, target_id=asker.user_id, newest_first=True
                )
            ),
        )

    def _build_question(self, c: Connection, asker: Asker, guild_id: int, now: datetime) -> Question:
        """What a decision would look at, but without taking the member's shares of role grants for them."""
        loaded = self._policies.load(c, guild_id, asker.locale)
        facts = decisions.find_facts(
            c,
            keys_of(asker, loaded.policy, now),
            user_id=asker.user_id,
            guild_id=guild_id,
            role_ids=asker.role_ids,
            now=now,
        )
        return Question(
            asker=asker,
            prompt="",
            amount_credits=0,
            policy=loaded.policy,
            operator=self._operator,
            words=loaded.words,
            snapshot=Snapshot(
                balances=facts.balances,
                grants=facts.grants,
                offers=facts.offers,
                membership=facts.membership,
            ),
            now=now,
        )


def _running_until(membership: Membership | None, now: datetime) -> datetime | None:
    until = membership.blocked_until if membership is not None else None
    return until if until is not None and until > now else None


def _find_forgivable(c: Connection, question: Question, allowance: Allowance, guild_id: int) -> int:
    cap = allowance.cap
    if cap is None or cap.credits is None:
        return 0
    key = build_key(
        BalanceScope.MEMBERSHIP, guild_id, question.asker.user_id, cap.period, question.local_date
    )
    return spending.find_forgivable(c, key)
