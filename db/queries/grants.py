"""Grants of credits and what becomes of them: offered to a role, made, held, used, removed.

Owns every statement on `credit_grant` and `role_grant`. Must not know who may grant, or why. Every function
joins the caller's transaction; each change of a grant is one conditional UPDATE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, bindparam, func, insert, or_, select, update

from db.models import CREDIT_GRANT, ROLE_GRANT, TRANSFER_PART
from db.models.base import UtcDateTime
from db.queries._upsert import build_inserts
from db.values import CreditGrant, RoleGrant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

_G = CREDIT_GRANT.c
_LEFT = _G.amount_credits - _G.held_credits - _G.used_credits - _G.removed_credits
# Not named as a column is: SQLAlchemy would take it for a value to set.
_AMOUNT = bindparam("amount", type_=BigInteger())
_INSERT = build_inserts(CREDIT_GRANT, lambda insert: insert.on_conflict_do_nothing().returning(_G.id))
_HOLD = (
    update(CREDIT_GRANT)
    .where(
        _G.id == bindparam("grant_id"),
        _LEFT >= _AMOUNT,
        or_(_G.expires_at.is_(None), _G.expires_at > bindparam("now", type_=UtcDateTime())),
    )
    .values(held_credits=_G.held_credits + _AMOUNT)
    .returning(_G.id)
)
_HELD, _USED, _REMOVED = (
    bindparam(f"{name}_change", type_=BigInteger()) for name in ("held", "used", "removed")
)
_MOVE = (
    update(CREDIT_GRANT)
    .where(
        _G.id == bindparam("grant_id"),
        _G.held_credits + _HELD >= 0,
        _G.used_credits + _USED >= 0,
        _LEFT >= _HELD + _USED + _REMOVED,
    )
    .values(
        held_credits=_G.held_credits + _HELD,
        used_credits=_G.used_credits + _USED,
        removed_credits=_G.removed_credits + _REMOVED,
    )
    .returning(_G.id)
)


def insert_grant(c: Connection, grant: CreditGrant) -> bool:
    """Store a grant unless its id, or this member's share of its role grant, exists.

    Shape: whether it was written.
    """
    row = {field.name: getattr(grant, field.name) for field in CREDIT_GRANT.columns}
    return c.execute(_INSERT[c.dialect.name], row).one_or_none() is not None


def hold_grant(c: Connection, grant_id: str, amount_credits: int, now: datetime) -> bool:
    """Hold credits of a grant that has them and has not expired: check and write are one statement."""
    params = {"grant_id": grant_id, "amount": amount_credits, "now": now}
    return c.execute(_HOLD, params).one_or_none() is not None


def move_grant(c: Connection, grant_id: str, *, held: int = 0, used: int = 0, removed: int = 0) -> bool:
    """Change a grant by signed amounts, if nothing falls below zero.

    Shape: whether it was changed.
    """
    params = {"grant_id": grant_id, "held_change": held, "used_change": used, "removed_change": removed}
    return c.execute(_MOVE, params).one_or_none() is not None


def find_grant(c: Connection, grant_id: str) -> CreditGrant | None:
    row = c.execute(select(CREDIT_GRANT).where(_G.id == grant_id)).mappings().one_or_none()
    return None if row is None else _read_grant(row)


def list_grants(
    c: Connection, guild_id: int, user_id: int, limit: int, *, spendable_at: datetime | None = None
) -> list[CreditGrant]:
    """List a member's grants, those with credits left first, soonest to expire first.

    Shape: with `spendable_at` only those that have credits to spend then.
    """
    statement = (
        select(CREDIT_GRANT)
        .where(_G.guild_id == guild_id, _G.user_id == user_id)
        .order_by(_LEFT == 0, _G.expires_at.is_(None), _G.expires_at, _G.created_at, _G.id)
        .limit(limit)
    )
    if spendable_at is not None:
        statement = statement.where(_is_spendable(spendable_at))
    return [_read_grant(row) for row in c.execute(statement).mappings()]


def sum_spendable(c: Connection, guild_id: int, user_id: int, now: datetime) -> int:
    """Sum what a member may spend of all their grants, however many there are."""
    statement = select(func.coalesce(func.sum(_LEFT), 0)).where(
        _G.guild_id == guild_id, _G.user_id == user_id, _is_spendable(now)
    )
    return int(c.execute(statement).scalar_one())


def count_live(c: Connection, guild_id: int, user_id: int, now: datetime) -> int:
    """Count a member's grants that have not ended and are not used up; held credits may come back."""
    statement = select(func.count()).where(
        _G.guild_id == guild_id,
        _G.user_id == user_id,
        _G.amount_credits > _G.used_credits + _G.removed_credits,
        or_(_G.expires_at.is_(None), _G.expires_at > now),
    )
    return int(c.execute(statement).scalar_one())


def list_expired(c: Connection, now: datetime, limit: int) -> list[CreditGrant]:
    """List grants that ended but still have credits that nothing holds, the oldest first."""
    statement = (
        select(CREDIT_GRANT)
        .where(_G.expires_at <= now, _LEFT > 0)
        .order_by(_G.expires_at, _G.id)
        .limit(limit)
    )
    return [_read_grant(row) for row in c.execute(statement).mappings()]


def sum_ended_parts(c: Connection, transfer_id: str, now: datetime) -> int:
    """Sum what of a transfer belongs to grants that have ended."""
    statement = (
        select(func.coalesce(func.sum(TRANSFER_PART.c.amount_credits), 0))
        .join_from(TRANSFER_PART, CREDIT_GRANT, _G.id == TRANSFER_PART.c.grant_id)
        .where(TRANSFER_PART.c.transfer_id == transfer_id, _G.expires_at <= now)
    )
    return int(c.execute(statement).scalar_one())


def insert_role_grant(c: Connection, grant: RoleGrant) -> None:
    c.execute(insert(ROLE_GRANT), {field.name: getattr(grant, field.name) for field in ROLE_GRANT.columns})


def find_role_grant(c: Connection, role_grant_id: str) -> RoleGrant | None:
    row = c.execute(select(ROLE_GRANT).where(ROLE_GRANT.c.id == role_grant_id)).mappings().one_or_none()
    return None if row is None else RoleGrant(**row)


def close_role_grant(c: Connection, role_grant_id: str, now: datetime) -> bool:
    """End an offer, so that nobody takes it any more; what was taken stays."""
    statement = (
        update(ROLE_GRANT)
        .where(ROLE_GRANT.c.id == role_grant_id, ROLE_GRANT.c.open_until > now)
        .values(open_until=now)
        .returning(ROLE_GRANT.c.id)
    )
    return c.execute(statement).one_or_none() is not None


def list_role_grants(c: Connection, guild_id: int, now: datetime, limit: int) -> Sequence[RoleGrant]:
    """List the offers that are still open, the newest first."""
    r = ROLE_GRANT.c
    statement = (
        select(ROLE_GRANT)
        .where(r.guild_id == guild_id, r.open_until > now, or_(r.expires_at.is_(None), r.expires_at > now))
        .order_by(r.created_at.desc())
        .limit(limit)
    )
    return [RoleGrant(**row) for row in c.execute(statement).mappings()]


def _is_spendable(now: datetime) -> ColumnElement[bool]:
    return and_(_LEFT > 0, or_(_G.expires_at.is_(None), _G.expires_at > now))


def _read_grant(row: Mapping[Any, Any]) -> CreditGrant:
    return CreditGrant(**row)
