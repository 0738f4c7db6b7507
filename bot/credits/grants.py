"""Credits beyond the cap: granted, given away, corrected, expired. Each is a line of the ledger.

Owns the order of these writes, as `bot.credits.ledger` does for jobs. Joins the services' transactions; must
not know Discord, settings or the clock, nor who may do what.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING

from bot.credits import rules
from bot.credits.values import NothingToTake, Outrun, TooManyGrants
from db.enums import TransferKind
from db.queries import credits as queries
from db.queries import grants as grant_queries
from db.values import CreditGrant, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

# How many a member may be given in one server, as long as credits are left of them; a decision reads so many.
GRANTS_MAX = 200
# How many an act draws from: used ones live again when a picture is cancelled or refunded.
DRAWN_MAX = 1_000


def grant(c: Connection, grant: CreditGrant, *, transfer_id: str, source_id: str | None = None) -> bool:
    """Give a member credits beyond their cap.

    Transaction: joins. Repeatable: by the grant's id, and by member for a role grant.
    Shape: whether it was new.
    """
    if not grant_queries.insert_grant(c, grant):
        return False
    transfer = _build_transfer(grant, transfer_id, TransferKind.GRANT, grant.amount_credits, grant.created_at)
    queries.insert_transfer(
        c, replace(transfer, source_id=source_id, actor_id=grant.granted_by, reason=grant.reason)
    )
    return True


def list_spendable(c: Connection, guild_id: int, user_id: int, now: datetime) -> list[CreditGrant]:
    """List a member's grants with credits left, soonest to expire first."""
    return grant_queries.list_grants(c, guild_id, user_id, DRAWN_MAX, spendable_at=now)


def check_room(c: Connection, guild_id: int, user_id: int, wanted: int, now: datetime) -> None:
    """Transaction: joins, and only reads. Raises: TooManyGrants when a member may not get so many more grants."""
    # Two at once may pass one too many: DRAWN_MAX leaves room for them.
    if grant_queries.count_live(c, guild_id, user_id, now) + wanted > GRANTS_MAX:
        raise TooManyGrants(GRANTS_MAX)


def give(
    c: Connection,
    *,
    guild_id: int,
    from_user_id: int,
    to_user_id: int,
    amount_credits: int,
    reason: str,
    new_id: Callable[[], str],
    now: datetime,
) -> None:
    """Move granted credits to another member, soonest to expire first; each keeps its expiry.

    Transaction: joins; roll it back after an exception.
    Raises: NothingToTake when the giver has less; TooManyGrants when the receiver would have too many.
    """
    parts = _draw(c, guild_id, from_user_id, amount_credits, now)
    check_room(c, guild_id, to_user_id, len(parts), now)
    for grant_id, amount in parts:
        transfer_id = new_id()
        source = _take(
            c,
            grant_id,
            amount,
            transfer_id=transfer_id,
            kind=TransferKind.GIVE,
            actor_id=from_user_id,
            other_user_id=to_user_id,
            reason=reason,
            now=now,
        )
        gift = CreditGrant(
            id=new_id(),
            guild_id=guild_id,
            user_id=to_user_id,
            amount_credits=amount,
            granted_by=from_user_id,
            reason=reason,
            expires_at=source.expires_at,
            created_at=now,
        )
        grant(c, gift, transfer_id=new_id(), source_id=transfer_id)


def correct(
    c: Connection,
    *,
    guild_id: int,
    user_id: int,
    amount_credits: int,
    actor_id: int,
    reason: str,
    new_id: Callable[[], str],
    now: datetime,
) -> None:
    """Take granted credits back, soonest to expire first.

    Transaction: joins; roll it back after an exception.
    Raises: NothingToTake when the member has less.
    """
    for grant_id, amount in _draw(c, guild_id, user_id, amount_credits, now):
        _take(
            c,
            grant_id,
            amount,
            transfer_id=new_id(),
            kind=TransferKind.CORRECT,
            actor_id=actor_id,
            reason=reason,
            now=now,
        )


def take_back(
    c: Connection, grant_id: str, *, actor_id: int, reason: str, new_id: Callable[[], str], now: datetime
) -> int:
    """Undo one grant: take what is left of it.

    Transaction: joins. Shape: how many credits; 0 when all of them are used, held or gone.
    """
    found = grant_queries.find_grant(c, grant_id)
    if found is None or found.left_credits == 0:
        return 0
    amount = found.left_credits
    _take(
        c,
        grant_id,
        amount,
        transfer_id=new_id(),
        kind=TransferKind.CORRECT,
        actor_id=actor_id,
        reason=reason,
        now=now,
    )
    return amount


def expire(c: Connection, *, new_id: Callable[[], str], limit: int, now: datetime) -> int:
    """Take what is left out of grants whose time is over; what jobs hold of them follows when they return it.

    Transaction: joins. Repeatable: yes; a grant with nothing left is not found again.
    Shape: how many grants ended, at most `limit`.
    """
    ended = grant_queries.list_expired(c, now, limit)
    for found in ended:
        _take(c, found.id, found.left_credits, transfer_id=new_id(), kind=TransferKind.EXPIRE, now=now)
    return len(ended)


def _draw(
    c: Connection, guild_id: int, user_id: int, amount_credits: int, now: datetime
) -> tuple[tuple[str, int], ...]:
    usable = list_spendable(c, guild_id, user_id, now)
    parts = rules.draw_grants(amount_credits, [(one.id, one.left_credits) for one in usable])
    if parts is None:
        raise NothingToTake(grant_queries.sum_spendable(c, guild_id, user_id, now))
    return parts


def _take(
    c: Connection,
    grant_id: str,
    amount_credits: int,
    *,
    transfer_id: str,
    kind: TransferKind,
    now: datetime,
    actor_id: int | None = None,
    other_user_id: int | None = None,
    reason: str | None = None,
) -> CreditGrant:
    """Take credits out of one grant, which must have them."""
    found = grant_queries.find_grant(c, grant_id)
    if found is None or not grant_queries.move_grant(c, grant_id, removed=amount_credits):
        # Somebody was faster; the whole is decided anew.
        raise Outrun
    transfer = _build_transfer(found, transfer_id, kind, amount_credits, now)
    written = queries.insert_transfer(
        c, replace(transfer, actor_id=actor_id, other_user_id=other_user_id, reason=reason)
    )
    if not written:
        # The same gift, confirmed twice at once: its first transfer is there now, and will be found.
        raise Outrun
    return found


def _build_transfer(
    grant: CreditGrant, transfer_id: str, kind: TransferKind, amount_credits: int, now: datetime
) -> Transfer:
    return Transfer(
        id=transfer_id,
        kind=kind,
        grant_id=grant.id,
        user_id=grant.user_id,
        guild_id=grant.guild_id,
        amount_credits=amount_credits,
        local_date=rules.local_day(now, UTC),
        reserved_at=now,
        created_at=now,
    )
