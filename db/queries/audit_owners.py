"""What an audit asks about whose credits are whose: grants, shares of offers, what each grant and job bears.

Owns facts that must not be, each as one statement, as `db.queries.audit_lines` does for amounts. Reads only; every
function joins the caller's transaction, and lists at most `ROWS_MAX` findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select, text, union_all

from db.enums import TERMINAL, JobState, TransferKind
from db.models import CREDIT_GRANT, JOB, ROLE_GRANT, TRANSFER, TRANSFER_PART
from db.queries.audit import ROWS_MAX

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select

_G, _T, _P = CREDIT_GRANT.c, TRANSFER.c, TRANSFER_PART.c


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherOwner:
    """A line of the ledger about a grant that is somebody else's, or of another server."""

    transfer_id: str
    grant_id: str
    user_id: int
    guild_id: int | None
    grant_user_id: int
    grant_guild_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnequalShare:
    """A member's share that is not what the role was offered. Units: whole credits."""

    grant_id: str
    offered_credits: int
    offered_guild_id: int
    offered_expires_at: datetime | None
    amount_credits: int
    guild_id: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceedingPart:
    """A grant that a settle charged more than was held of it, or that got back more than it was charged."""

    transfer_id: str
    grant_id: str
    earlier_credits: int
    credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherEnd:
    """A job that was charged although it ended without a picture, or was delivered and charged nothing."""

    job_id: str
    state: JobState
    charged: bool


def list_other_ends(c: Connection) -> list[OtherEnd]:
    """List ended jobs whose reservation was not resolved as their state says: settled only if delivered."""
    delivered, settled = JOB.c.state == JobState.DELIVERED, _T.kind == TransferKind.SETTLE
    statement = (
        select(JOB.c.id, JOB.c.state, _T.kind)
        .join_from(TRANSFER, JOB, JOB.c.id == _T.job_id)
        .where(
            _T.kind.in_((TransferKind.SETTLE, TransferKind.VOID)),
            JOB.c.state.in_(sorted(TERMINAL)),
            or_(and_(settled, ~delivered), and_(~settled, delivered)),
        )
        .order_by(JOB.c.number)
        .limit(ROWS_MAX)
    )
    return [
        OtherEnd(job_id=row.id, state=row.state, charged=row.kind is TransferKind.SETTLE)
        for row in c.execute(statement)
    ]


def list_other_owners(c: Connection) -> list[OtherOwner]:
    """List lines, and parts of a job's lines, whose grant is not of the line's own member and server."""
    return [
        OtherOwner(
            transfer_id=row.id,
            grant_id=row.grant_id,
            user_id=row.user_id,
            guild_id=row.guild_id,
            grant_user_id=row.grant_user_id,
            grant_guild_id=row.grant_guild_id,
        )
        for row in c.execute(_select_other_owners())
    ]


@cache
def _select_other_owners() -> Select[Any]:
    columns = (_T.id, _G.id.label("grant_id"), _T.user_id, _T.guild_id)
    owner = (_G.user_id.label("grant_user_id"), _G.guild_id.label("grant_guild_id"))
    differs = or_(_T.user_id != _G.user_id, _T.guild_id.is_(None), _T.guild_id != _G.guild_id)
    lines = select(*columns, *owner).join_from(TRANSFER, CREDIT_GRANT, _G.id == _T.grant_id).where(differs)
    parts = (
        select(*columns, *owner)
        .join_from(TRANSFER_PART, TRANSFER, _T.id == _P.transfer_id)
        .join(CREDIT_GRANT, _G.id == _P.grant_id)
        .where(differs)
    )
    found = union_all(lines, parts).subquery()
    return select(found).order_by(found.c.id, found.c.grant_id).limit(ROWS_MAX)


def list_unequal_shares(c: Connection) -> list[UnequalShare]:
    """List grants out of an offer to a role that are not of its amount, server and expiry."""
    r = ROLE_GRANT.c
    statement = (
        select(
            _G.id, r.amount_credits, r.guild_id, r.expires_at, _G.amount_credits, _G.guild_id, _G.expires_at
        )
        .join_from(CREDIT_GRANT, ROLE_GRANT, r.id == _G.role_grant_id)
        .where(
            or_(
                _G.amount_credits != r.amount_credits,
                _G.guild_id != r.guild_id,
                _G.expires_at.is_distinct_from(r.expires_at),
            )
        )
        .order_by(_G.id)
        .limit(ROWS_MAX)
    )
    return [
        UnequalShare(
            grant_id=row[0],
            offered_credits=row[1],
            offered_guild_id=row[2],
            offered_expires_at=row[3],
            amount_credits=row[4],
            guild_id=row[5],
            expires_at=row[6],
        )
        for row in c.execute(statement)
    ]


def list_exceeding_parts(c: Connection) -> list[ExceedingPart]:
    """List what a settle took of a grant beyond what its reserve held, and refunds beyond what settles took."""
    return [
        ExceedingPart(
            transfer_id=row.id, grant_id=row.grant_id, earlier_credits=row.before, credits=row.amount_credits
        )
        for row in c.execute(_select_exceeding_parts())
    ]


@cache
def _select_exceeding_parts() -> Select[Any]:
    settle = TRANSFER.alias("settle")
    # The kind stands in the text: SQLite uses a partial index only where the query repeats its words.
    settled = and_(settle.c.reservation_id == _T.reservation_id, text("settle.kind = 'settle'"))
    earlier = TRANSFER_PART.alias("earlier")

    def of(source: ColumnElement[str]) -> ColumnElement[bool]:
        return and_(earlier.c.transfer_id == source, earlier.c.grant_id == _P.grant_id)

    before = func.coalesce(earlier.c.amount_credits, 0).label("before")
    columns = (_T.id, _P.grant_id, before, _P.amount_credits)
    parts = TRANSFER_PART.join(TRANSFER, _T.id == _P.transfer_id)
    settles = (
        select(*columns)
        .select_from(parts.outerjoin(earlier, of(_T.reservation_id)))
        .where(_T.kind == TransferKind.SETTLE, _P.amount_credits > before)
    )
    refunds = (
        select(*columns)
        .select_from(parts.outerjoin(settle, settled).outerjoin(earlier, of(settle.c.id)))
        .where(_T.kind == TransferKind.REFUND, _P.amount_credits > before)
    )
    found = union_all(settles, refunds).subquery()
    return select(found).order_by(found.c.id, found.c.grant_id).limit(ROWS_MAX)
