"""Acts of moderators and members: each is one short transaction that writes the act and its audit entry.

Owns what all acts share. Whether the actor may act at all is checked by the surface, where Discord says so.
Must not know Discord.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bot.caps.values import CREDITS_MAX
from bot.credits.values import NothingToTake, Outrun, TooManyGrants
from bot.errors import AppError
from bot.log import get_logger
from db.queries import servers as queries
from db.values import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from bot.caps.policies import Policies
    from bot.clock import Clock
    from db.engine import Database
    from db.enums import AuditAction

Value = TypeVar("Value")

log = get_logger(__name__)

REASON_LENGTH_MAX = 200
ATTEMPTS_MAX = 5


class Acts:
    def __init__(self, database: Database, clock: Clock, policies: Policies) -> None:
        self._database = database
        self._clock = clock
        self._policies = policies

    def entry(
        self,
        guild_id: int,
        actor_id: int,
        action: AuditAction,
        subject: str,
        *,
        target_id: int | None = None,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
        reason: str | None = None,
    ) -> AuditEntry:
        """A line of the audit log, now. **Raises** AppError for a reason that is too long."""
        return AuditEntry(
            guild_id=guild_id,
            at=self._clock.now(),
            actor_id=actor_id,
            action=action,
            subject=subject,
            target_id=target_id,
            before=before,
            after=after,
            reason=check_reason(reason),
        )

    async def act(self, work: Callable[[Connection], AuditEntry | None]) -> bool:
        """Do `work` and append the entry it answers, together; False when it answers none: nothing changed."""

        def perform(c: Connection) -> AuditEntry | None:
            entry = work(c)
            if entry is not None:
                # The server's row carries how far the log channel was told.
                self._policies.ensure(c, entry.guild_id)
                queries.append_entry(c, entry)
            return entry

        entry = await run(self._database, perform)
        if entry is None:
            return False
        log.info(
            "moderation.acted",
            guild=entry.guild_id,
            actor=entry.actor_id,
            action=entry.action.value,
            target=entry.target_id,
        )
        self._policies.on_entry()
        return True


async def run(database: Database, perform: Callable[[Connection], Value]) -> Value:
    """Do what others may outrun: anew then, a few times. **Raises** AppError when they always do."""
    for _ in range(ATTEMPTS_MAX):
        try:
            return await database.transaction(perform)
        except Outrun:
            continue
        except NothingToTake as error:
            raise AppError("gift.too_little", left=error.left_credits) from error
        except TooManyGrants as error:
            raise AppError("grant.too_many", most=error.grants_max) from error
    raise AppError("error.try_again")


def check_amount(amount_credits: int, least: int = 1) -> None:
    """**Raises** AppError for a number of credits that is out of range."""
    if not least <= amount_credits <= CREDITS_MAX:
        raise AppError("moderate.amount", least=least, most=CREDITS_MAX)


def check_reason(reason: str | None) -> str | None:
    """**Raises** AppError for a reason that is too long."""
    if reason is not None and len(reason) > REASON_LENGTH_MAX:
        raise AppError("moderate.reason_long", most=REASON_LENGTH_MAX)
    return reason or None


def iso(moment: datetime | None) -> str | None:
    """A time as the audit log shows it."""
    return moment.isoformat() if moment is not None else None
