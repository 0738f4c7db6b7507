"""Sums over the whole account, for the operator: what is held and used, what was granted, what is theirs to bear.

Owns these statements; reads only. Every function joins the caller's transaction. Some read the whole ledger:
they are for a command line, not for a member's press.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, literal_column, or_, select, text

from db.enums import BalancePeriod, BalanceScope, TransferKind
from db.models import BALANCE, CREDIT_GRANT, SERVER, TRANSFER

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

_B, _G, _T = BALANCE.c, CREDIT_GRANT.c, TRANSFER.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a set of members or servers has, ever. Units: whole credits; `count` members, `held_jobs` jobs."""

    count: int
    held_credits: int
    used_credits: int
    held_jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """What kvid reported beyond what members were charged, and by how many jobs."""

    credits: int
    jobs: int


def find_totals(c: Connection) -> Totals:
    """Sum what all members have, direct messages included; `used_credits` with what was given back."""
    return _sum_balances(c, _B.scope == BalanceScope.MEMBER, _B.guild_id == 0)


def find_server_totals(c: Connection, guild_id: int) -> Totals:
    """Sum what the members of one server have there; `used_credits` without what was given back."""
    return _sum_balances(c, _B.scope == BalanceScope.MEMBERSHIP, _B.guild_id == guild_id)


def _sum_balances(c: Connection, *conditions: ColumnElement[bool]) -> Totals:
    statement = select(
        func.count(),
        func.coalesce(func.sum(_B.held_credits), 0),
        func.coalesce(func.sum(_B.used_credits), 0),
        func.coalesce(func.sum(_B.held_jobs), 0),
    ).where(_B.period == BalancePeriod.EVER, *conditions)
    count, held, used, jobs = c.execute(statement).one()
    return Totals(count=count, held_credits=int(held), used_credits=int(used), held_jobs=int(jobs))


def sum_refunded(c: Connection, *, guild_id: int | None = None, user_id: int | None = None) -> int:
    """Sum what was ever given back for delivered pictures, in one server or for one member if they are named."""
    statement = select(func.coalesce(func.sum(_T.amount_credits), 0)).where(
        # Refunds are few: with these words the index of refunds serves, and with the signs no other index
        # may, which would look at every line of a server's or a member's ledger.
        text("transfer.kind = 'refund'"),
        _T.reservation_id.is_not(None),
    )
    if guild_id is not None:
        statement = statement.where(literal_column("+transfer.guild_id") == guild_id)
    if user_id is not None:
        statement = statement.where(literal_column("+transfer.user_id") == user_id)
    return int(c.execute(statement).scalar_one())


def find_excess(c: Connection, guild_id: int | None = None) -> Excess:
    """Sum the operator's share, of all jobs or of one server's."""
    excess = _T.reported_credits - _T.amount_credits
    conditions = [_T.kind == TransferKind.SETTLE, excess > 0]
    if guild_id is not None:
        conditions.append(_T.guild_id == guild_id)
    statement = select(func.coalesce(func.sum(excess), 0), func.count()).where(and_(*conditions))
    credits_, jobs = c.execute(statement).one()
    return Excess(credits=int(credits_), jobs=jobs)


def sum_left_grants(c: Connection, now: datetime, guild_id: int | None = None) -> int:
    """Sum the granted credits that may still be spent."""
    left = _G.amount_credits - _G.held_credits - _G.used_credits - _G.removed_credits
    statement = select(func.coalesce(func.sum(left), 0)).where(
        or_(_G.expires_at.is_(None), _G.expires_at > now)
    )
    if guild_id is not None:
        statement = statement.where(_G.guild_id == guild_id)
    return int(c.execute(statement).scalar_one())


def count_servers(c: Connection) -> int:
    """Count the servers that the bot is in."""
    statement = select(func.count()).select_from(SERVER)
    return int(c.execute(statement.where(SERVER.c.guild_id != 0, SERVER.c.left_at.is_(None))).scalar_one())
