"""What an audit asks about the ledger's own lines: grants, gifts, resolutions, refunds, forgotten jobs.

Owns facts that must not be, each as one statement over the transfers. Reads only; every function joins the
caller's transaction, and lists at most `ROWS_MAX` findings. Counters of members, channels and servers are
proved by `db.queries.audit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, or_, select

from db.enums import TERMINAL, TransferKind
from db.models import CREDIT_GRANT, JOB, TRANSFER, TRANSFER_PART
from db.queries.audit import ROWS_MAX

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Select, Subquery

_RESOLUTIONS = (TransferKind.SETTLE, TransferKind.VOID)
_REMOVALS = (TransferKind.GIVE, TransferKind.EXPIRE, TransferKind.CORRECT)
_KEPT = ("amount_credits", "held_credits", "used_credits", "removed_credits")


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantSums:
    """What one grant is made of. Units: whole credits; `grants` counts its GRANT transfers."""

    grants: int
    amount_credits: int
    held_credits: int
    used_credits: int
    removed_credits: int

    @property
    def left_credits(self) -> int:
        return self.amount_credits - self.held_credits - self.used_credits - self.removed_credits


@dataclass(frozen=True, slots=True, kw_only=True)
class UnequalGrant:
    """What the transfers say of a grant and what is stored; equal when it is only overdrawn."""

    grant_id: str
    expected: GrantSums
    found: GrantSums


@dataclass(frozen=True, slots=True, kw_only=True)
class UnequalGift:
    """A gift, and what became of it.

    Units: whole credits. `given_credits` is None when credits came from a transfer that is no gift.
    `receivers_grants` counts the grants that are the named receiver's in the gift's server.
    """

    transfer_id: str
    given_credits: int | None
    grants: int
    receivers_grants: int
    granted_credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnequalRefund:
    """A refunded reservation. Units: whole credits; `settled_credits` is None when nothing was charged."""

    reservation_id: str
    refunds: int
    settled_credits: int | None
    refunded_credits: int
    settled_granted_credits: int
    refunded_granted_credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnequalParts:
    """A transfer whose parts are not the credits it says grants bear. Units: whole credits."""

    transfer_id: str
    granted_credits: int
    parts_credits: int


def list_unequal_grants(c: Connection) -> list[UnequalGrant]:
    """List every grant that is not the sum of its transfers and parts, or is overdrawn."""
    return [
        UnequalGrant(
            grant_id=row["id"],
            expected=GrantSums(**{name: int(row[f"expected_{name}"]) for name in ("grants", *_KEPT)}),
            found=GrantSums(grants=1, **{name: row[name] for name in _KEPT}),
        )
        for row in c.execute(_select_unequal_grants()).mappings()
    ]


@cache
def _select_unequal_grants() -> Select[Any]:
    parts, lines, grant = _sum_parts(), _sum_lines(), CREDIT_GRANT.c
    expected = {
        "grants": func.coalesce(lines.c.grants, 0),
        "amount_credits": func.coalesce(lines.c.amount_credits, 0),
        "held_credits": func.coalesce(parts.c.held_credits, 0),
        "used_credits": func.coalesce(parts.c.used_credits, 0),
        "removed_credits": func.coalesce(lines.c.removed_credits, 0),
    }
    kept = {name: grant[name] for name in _KEPT}
    overdrawn = kept["held_credits"] + kept["used_credits"] + kept["removed_credits"] > kept["amount_credits"]
    return (
        select(
            grant.id,
            *(column.label(f"expected_{name}") for name, column in expected.items()),
            *kept.values(),
        )
        .outerjoin(parts, parts.c.grant_id == grant.id)
        .outerjoin(lines, lines.c.grant_id == grant.id)
        .where(
            or_(
                expected["grants"] != 1,
                *(column != expected[name] for name, column in kept.items()),
                overdrawn,
            )
        )
        .order_by(grant.id)
        .limit(ROWS_MAX)
    )


def list_gifts_without_grant(c: Connection) -> list[UnequalGift]:
    """List gifts that are not exactly one grant of the same amount to the receiver, and grants from no gift."""
    return [
        UnequalGift(
            transfer_id=row[0],
            given_credits=row[1],
            grants=row[2],
            receivers_grants=int(row[3]),
            granted_credits=int(row[4]),
        )
        for row in c.execute(_select_gifts_without_grant())
    ]


@cache
def _select_gifts_without_grant() -> Select[Any]:
    gift, made = TRANSFER.alias("gift"), TRANSFER.alias("made")
    is_gift = gift.c.kind == TransferKind.GIVE
    theirs = (
        (made.c.kind == TransferKind.GRANT)
        & (CREDIT_GRANT.c.user_id == gift.c.other_user_id)
        & (CREDIT_GRANT.c.guild_id == gift.c.guild_id)
    )
    given = func.max(case((is_gift, gift.c.amount_credits)))
    grants, granted = func.count(made.c.id), func.coalesce(func.sum(made.c.amount_credits), 0)
    receivers = func.coalesce(func.sum(case((theirs, 1), else_=0)), 0)
    return (
        select(gift.c.id, given, grants, receivers, granted)
        .outerjoin(made, made.c.source_id == gift.c.id)
        .outerjoin(CREDIT_GRANT, CREDIT_GRANT.c.id == made.c.grant_id)
        .where(is_gift | made.c.id.is_not(None))
        .group_by(gift.c.id)
        .having(or_(given.is_(None), grants != 1, receivers != 1, granted != given))
        .order_by(gift.c.id)
        .limit(ROWS_MAX)
    )


def list_unequal_parts(c: Connection) -> list[UnequalParts]:
    """List transfers whose parts do not add up to their granted credits."""
    sums = (
        select(TRANSFER_PART.c.transfer_id, func.sum(TRANSFER_PART.c.amount_credits).label("credits"))
        .group_by(TRANSFER_PART.c.transfer_id)
        .subquery()
    )
    found = func.coalesce(sums.c.credits, 0)
    statement = (
        select(TRANSFER.c.id, TRANSFER.c.granted_credits, found)
        .outerjoin(sums, sums.c.transfer_id == TRANSFER.c.id)
        .where(TRANSFER.c.granted_credits != found)
        .order_by(TRANSFER.c.id)
        .limit(ROWS_MAX)
    )
    return [
        UnequalParts(transfer_id=row[0], granted_credits=row[1], parts_credits=int(row[2]))
        for row in c.execute(statement)
    ]


def list_resolved_twice(c: Connection) -> list[tuple[str, int]]:
    """List reservations with more than one settle or void, and how many there are."""
    count = func.count()
    statement = (
        select(TRANSFER.c.reservation_id, count)
        .where(TRANSFER.c.kind.in_(_RESOLUTIONS))
        .group_by(TRANSFER.c.reservation_id)
        .having(count > 1)
        .order_by(TRANSFER.c.reservation_id)
        .limit(ROWS_MAX)
    )
    return [(row[0], row[1]) for row in c.execute(statement)]


def list_unequal_refunds(c: Connection) -> list[UnequalRefund]:
    """List reservations refunded twice, without a settle, or by another amount than was charged."""
    return [
        UnequalRefund(
            reservation_id=row[0],
            refunds=int(row[1]),
            settled_credits=row[2],
            refunded_credits=int(row[3]),
            settled_granted_credits=int(row[4]),
            refunded_granted_credits=int(row[5]),
        )
        for row in c.execute(_select_unequal_refunds())
    ]


@cache
def _select_unequal_refunds() -> Select[Any]:
    settle, refund = TRANSFER.c.kind == TransferKind.SETTLE, TRANSFER.c.kind == TransferKind.REFUND
    amount, granted = TRANSFER.c.amount_credits, TRANSFER.c.granted_credits
    refunds = _add(refund, 1)
    settled = func.sum(case((settle, amount)))
    values = (_add(refund, amount), _add(settle, granted), _add(refund, granted))
    return (
        select(TRANSFER.c.reservation_id, refunds, settled, *values)
        .where(settle | refund)
        .group_by(TRANSFER.c.reservation_id)
        .having(
            (refunds > 0) & or_(refunds > 1, settled.is_(None), settled != values[0], values[1] != values[2])
        )
        .order_by(TRANSFER.c.reservation_id)
        .limit(ROWS_MAX)
    )


def list_ended_jobs_that_hold(c: Connection) -> list[tuple[str, int]]:
    """List jobs in a terminal state whose reservation nobody resolved, and what it holds."""
    resolved = _select_resolved()
    statement = (
        select(JOB.c.id, TRANSFER.c.amount_credits)
        .join_from(TRANSFER, JOB, JOB.c.id == TRANSFER.c.job_id)
        .outerjoin(resolved, resolved.c.reservation_id == TRANSFER.c.id)
        .where(
            TRANSFER.c.kind == TransferKind.RESERVE,
            resolved.c.reservation_id.is_(None),
            JOB.c.state.in_(sorted(TERMINAL)),
        )
        .order_by(JOB.c.number)
        .limit(ROWS_MAX)
    )
    return [(row[0], row[1]) for row in c.execute(statement)]


def _sum_parts() -> Subquery:
    """Sum what reservations hold of each grant, and what settles took less what refunds gave back."""
    resolved = _select_resolved()
    is_open = resolved.c.reservation_id.is_(None)
    kind, amount = TRANSFER.c.kind, TRANSFER_PART.c.amount_credits
    return (
        select(
            TRANSFER_PART.c.grant_id,
            _add((kind == TransferKind.RESERVE) & is_open, amount).label("held_credits"),
            (_add(kind == TransferKind.SETTLE, amount) - _add(kind == TransferKind.REFUND, amount)).label(
                "used_credits"
            ),
        )
        .join_from(TRANSFER_PART, TRANSFER, TRANSFER.c.id == TRANSFER_PART.c.transfer_id)
        .outerjoin(resolved, resolved.c.reservation_id == TRANSFER.c.id)
        .group_by(TRANSFER_PART.c.grant_id)
        .subquery()
    )


def _sum_lines() -> Subquery:
    """Sum the transfers that name a grant: what it was made with, and what left it again."""
    kind, amount = TRANSFER.c.kind, TRANSFER.c.amount_credits
    return (
        select(
            TRANSFER.c.grant_id,
            _add(kind == TransferKind.GRANT, 1).label("grants"),
            _add(kind == TransferKind.GRANT, amount).label("amount_credits"),
            _add(kind.in_(_REMOVALS), amount).label("removed_credits"),
        )
        .where(TRANSFER.c.grant_id.is_not(None))
        .group_by(TRANSFER.c.grant_id)
        .subquery()
    )


def _select_resolved() -> Subquery:
    # Not a search per reservation: a bound kind cannot use the partial index, so each would read the table.
    resolution = TRANSFER.alias("resolution")
    return (
        select(resolution.c.reservation_id).where(resolution.c.kind.in_(_RESOLUTIONS)).distinct().subquery()
    )


def _add(condition: ColumnElement[bool], value: ColumnElement[int] | int) -> ColumnElement[int]:
    return func.sum(case((condition, value), else_=0))
