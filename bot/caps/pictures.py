"""What moderators do about one picture: hide it, give its credits back.

Owns these acts; what is seen on Discord is the surface's. Must not know Discord.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.caps.acts import Acts, check_reason, iso
from bot.credits import ledger
from bot.credits.values import ReservationMissing
from bot.errors import AppError
from bot.ids import new_transfer_id
from db.enums import AuditAction
from db.queries import grants as grant_queries
from db.queries import jobs as job_queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from db.values import AuditEntry, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What a refund gave back. Units: whole credits; `ended_credits` of them to grants that have ended since."""

    amount_credits: int = 0
    ended_credits: int = 0


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

    async def refund(self, guild_id: int, actor_id: int, job_id: str, reason: str | None = None) -> Returned:
        """Give back what a delivered picture cost. Shape: nothing when it was done before.

        **Raises** AppError when this server has no such picture, or it cost nothing.
        """
        now = self._clock.now()
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
            returned = Returned(amount_credits=refunded.amount, ended_credits=ended)
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


def get_picture(c: Connection, guild_id: int, job_id: str) -> Job:
    """A job whose picture moderators of this server may see. **Raises** AppError for any other."""
    job = job_queries.find_job(c, job_id)
    if job is None or job.guild_id != guild_id or job.private:
        raise AppError("moderate.no_picture")
    return job
