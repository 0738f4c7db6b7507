"""From a request to held credits: look, decide, hold. The only way a job gets its credits.

Owns the order of these steps inside the job service's transaction: one SELECT, the pure decision, then writes
whose conditions are the same limits, so that of many at once exactly those that fit get through. Must not know
Discord or what a job is for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.caps.limits import keys_of
from bot.caps.rules import Question, decide
from bot.caps.values import Approval, Asker, OperatorLimits, Refusal, Snapshot
from bot.credits import grants, ledger
from bot.credits.values import Outrun, Reservation
from bot.ids import new_transfer_id
from db.queries import balances as balance_queries
from db.queries import decisions as queries
from db.queries import servers as server_queries
from db.values import BalanceKey, CreditGrant, RoleGrant

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from bot.caps.policies import Policies
    from bot.safety.words import WordFilter, WordVerdict
    from db.queries.decisions import Facts
    from db.values import Job

LOOKS_MAX = 4
WORD_CHECKS_MAX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The decision on one request, and what holding its credits needs to create first."""

    answer: Approval | Refusal
    asker: Asker
    missing: tuple[BalanceKey, ...]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedWords:
    """A prompt's verdict by one server's words; of no use for words compiled since."""

    words: WordFilter
    verdict: WordVerdict


class Admission:
    def __init__(self, policies: Policies, operator: OperatorLimits) -> None:
        self._policies = policies
        self.operator = operator
        # A prompt made for it is expensive, so that not all threads may be at it.
        self._checks = asyncio.Semaphore(WORD_CHECKS_MAX)
        # The version of the operator's row, and whether it says stop.
        self._stop = (0, False)

    async def check_words(self, asker: Asker, prompt: str) -> CheckedWords | None:
        """Look for a server's banned words before its database is held for the decision.

        A prompt made for it takes the filter up to a fifth of a second, in which nobody could write.
        Shape: None where no words are listed. **Transaction** opens one for reading, at most once a server.
        """
        if asker.guild_id is None:
            return None
        words = (await self._policies.prepare(asker.guild_id, asker.locale)).words
        if not words.word_count:
            return None
        async with self._checks:
            return CheckedWords(words=words, verdict=await asyncio.to_thread(words.check, prompt))

    def look(
        self,
        c: Connection,
        asker: Asker,
        *,
        prompt: str,
        amount_credits: int,
        now: datetime,
        checked: CheckedWords | None = None,
    ) -> Ruling:
        """Read what is stored, and decide.

        **Transaction** joins; writes only shares of role grants that the asker takes by asking.
        **Raises** Outrun when settings change faster than they can be read.
        """
        question = self.ask(c, asker, prompt=prompt, amount_credits=amount_credits, now=now)
        if checked is not None and checked.words is question.words:
            question.verdict = checked.verdict
        missing = tuple(key for key in question.keys if key not in question.snapshot.balances)
        return Ruling(answer=decide(question), asker=asker, missing=missing, now=now)

    def ask(
        self, c: Connection, asker: Asker, *, prompt: str, amount_credits: int, now: datetime
    ) -> Question:
        """The question with everything that is stored about it; as `look`, without the answer."""
        loaded = self._policies.cached(asker.guild_id, asker.locale)
        took = False
        for _ in range(LOOKS_MAX):
            keys = keys_of(asker, loaded.policy, now)
            facts = queries.find_facts(
                c,
                keys,
                user_id=asker.user_id,
                guild_id=asker.guild_id,
                role_ids=asker.role_ids,
                now=now,
            )
            if asker.guild_id is not None and facts.versions.get(asker.guild_id, 0) != loaded.version:
                loaded = self._policies.load(c, asker.guild_id, asker.locale)
                continue
            if not took and self._take_offers(c, asker, facts, now):
                took = True
                continue
            return Question(
                asker=asker,
                prompt=prompt,
                amount_credits=amount_credits,
                policy=loaded.policy,
                operator=self.operator,
                words=loaded.words,
                snapshot=Snapshot(
                    balances=facts.balances,
                    grants=facts.grants,
                    offers=facts.offers,
                    membership=facts.membership,
                    stopped=self._is_stopped(c, facts.versions.get(queries.OPERATOR_ID, 0)),
                ),
                keys=keys,
                now=now,
            )
        raise Outrun

    def hold(self, c: Connection, ruling: Ruling, job: Job) -> None:
        """Hold the credits of an approved job, which must be stored before.

        **Transaction** joins; after Outrun roll it back, look and decide again.
        **Raises** Outrun when somebody else was faster.
        """
        approval = ruling.answer
        assert isinstance(approval, Approval)  # noqa: S101 - a refused job holds nothing
        asker = ruling.asker
        if ruling.missing:
            balance_queries.ensure_balances(c, ruling.missing)
        if (
            approval.uses_pass
            and asker.guild_id is not None
            and not server_queries.use_pass(c, asker.guild_id, asker.user_id, ruling.now)
        ):
            raise Outrun
        ledger.reserve(
            c,
            Reservation(
                transfer_id=new_transfer_id(),
                job_id=job.id,
                user_id=asker.user_id,
                guild_id=asker.guild_id,
                channel_id=asker.channel_id if asker.guild_id is not None else None,
                amount_credits=job.reserved_credits,
                counted=approval.counted,
                parts=approval.parts,
                local_date=approval.local_date,
                now=ruling.now,
            ),
        )

    def _is_stopped(self, c: Connection, version: int) -> bool:
        if version != self._stop[0]:
            row = server_queries.find_server(c, queries.OPERATOR_ID)
            self._stop = (version, row is not None and bool(row.policy.get("stopped")))
        return self._stop[1]

    def _take_offers(self, c: Connection, asker: Asker, facts: Facts, now: datetime) -> bool:
        """Give the asker their share of grants to roles they hold; True when there was any.

        Who has too many grants takes none yet: the offers stay open.
        """
        room = max(0, grants.GRANTS_MAX - len(facts.grants))
        taken = [
            grants.grant(c, _build_share(offer, asker.user_id, now), transfer_id=new_transfer_id())
            for offer in facts.offers[:room]
        ]
        return bool(taken)


def _build_share(offer: RoleGrant, user_id: int, now: datetime) -> CreditGrant:
    return CreditGrant(
        id=new_transfer_id(),
        guild_id=offer.guild_id,
        user_id=user_id,
        amount_credits=offer.amount_credits,
        granted_by=offer.granted_by,
        reason=offer.reason,
        role_grant_id=offer.id,
        expires_at=offer.expires_at,
        created_at=now,
    )
