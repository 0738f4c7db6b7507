"""What moderators do about one picture: hide it, give its credits back.

Owns these acts; what is seen on Discord is the surface's. Must not know Discord.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.caps.acts import Acts, check_reason, iso
from bot.caps.limits import day_of, effective_cap
from bot.credits import ledger
from bot.credits.rules import period_start
from bot.credits.values import ReservationMissing
from bot.errors import AppError
from bot.ids import new_transfer_id
from db.enums import AuditAction
from db.queries import grants as grant_queries
from db.queries import jobs as job_queries
from db.queries import servers as server_queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from sqlalchemy import Connection

    from bot.caps.values import Cap
    from bot.credits.values import Refunded
    from db.values import AuditEntry, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What a refund gave back.

    Units: whole credits; of the amount went `ended_credits` to grants that have ended since, and `over_credits`
    to an allowance that has started over since, by itself or by a moderator: neither can be spent.
    """

    amount_credits: int = 0
    ended_credits: int = 0
    over_credits: int = 0


class Pictures(Acts):
    async def hide(self, guild_id: int, actor_id: int, job_id: str, reason: str | None = None) -> Job:
        """Let nobody repeat or edit a picture any more; the surface then takes it off its message.

        **Repeatable** by the job: a second call writes nothing, so that the surface may try again.
        **Raises** AppError when this server has no such picture, or it is not posted yet.
        """
        now = self._clock.now()
        found: Job | None = None

        def work(c: Connection) -> AuditEntry | None:
            nonlocal found
            found = get_picture(c, guild_id, job_id)
            if found.finished_at is None or found.message_id is None:
                raise AppError("moderate.not_posted")
            if job_queries.hide_job(c, job_id, now) is None:
                return None
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.HIDE,
                job_id,
                target_id=found.user_id,
                before={"hidden_at": None},
                after={"hidden_at": iso(now)},
                reason=reason,
            )

        await self.act(work)
        assert found is not None  # noqa: S101 - `act` has run the work, which raises otherwise
        return found

    async def refund(
        self,
        guild_id: int,
        actor_id: int,
        job_id: str,
        reason: str | None = None,
        *,
        role_ids: Iterable[int] = (),
    ) -> Returned:
        """Give back what a delivered picture cost. Shape: nothing when it was done before.

        `role_ids` are the member's now: their cap decides what of it can be spent.
        **Raises** AppError when this server has no such picture, or it cost nothing.
        """
        now = self._clock.now()
        roles = tuple(role_ids)
        returned = Returned()

        def work(c: Connection) -> AuditEntry | None:
            nonlocal returned
            transfer_id = new_transfer_id()
            job = get_picture(c, guild_id, job_id)
            try:
                refunded = ledger.refund(
                    c,
                    transfer_id=transfer_id,
                    job_id=job_id,
                    actor_id=actor_id,
                    reason=check_reason(reason),
                    now=now,
                )
            except ReservationMissing:
                raise AppError("moderate.nothing_charged") from None
            if refunded.already:
                return None
            ended = grant_queries.sum_ended_parts(c, transfer_id, now)
            policy = self._policies.load(c, guild_id, None).policy
            membership = server_queries.find_membership(c, guild_id, job.user_id)
            cap = effective_cap(policy, membership, roles).cap
            over = find_over(refunded, cap, day_of(now, policy))
            returned = Returned(amount_credits=refunded.amount, ended_credits=ended, over_credits=over)
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.REFUND,
                job_id,
                target_id=job.user_id,
                before={"charged_credits": refunded.amount},
                after={"charged_credits": 0},
                reason=reason,
            )

        await self.act(work)
        return returned

    async def note(
        self,
        guild_id: int,
        actor_id: int,
        action: AuditAction,
        subject: str,
        *,
        target_id: int | None = None,
        after: Mapping[str, object] | None = None,
        reason: str | None = None,
    ) -> None:
        """Write down an act whose effect is elsewhere, such as an export."""
        entry = self.entry(
            guild_id, actor_id, action, subject, target_id=target_id, after=after, reason=reason
        )
        await self.act(lambda _: entry)


def find_over(refunded: Refunded, cap: Cap | None, today: date) -> int:
    """How much of a refund went to an allowance that has started over since, under the cap that counts now."""
    if cap is None or cap.credits is None:
        return 0
    if period_start(cap.period, refunded.local_date) != period_start(cap.period, today):
        return refunded.allowance
    return refunded.forgiven.get(cap.period, 0)


def get_picture(c: Connection, guild_id: int, job_id: str) -> Job:
    """A job whose picture moderators of this server may see. **Raises** AppError for any other."""
    job = job_queries.find_job(c, job_id)
    if job is None or job.guild_id != guild_id or job.private:
        raise AppError("moderate.no_picture")
    return job
