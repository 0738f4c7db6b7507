"""The audit: everything that is kept, recomputed from the lines of the ledger and compared.

Owns the list of what is compared and how a finding is shown. Reads only; the database sums.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from bot.credits.values import Difference, DifferenceKind
from db.queries import audit as balance_queries
from db.queries import audit_lines as line_queries
from db.queries import audit_owners as owner_queries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection

    from db.values import Balance, BalanceKey


def find_differences(c: Connection) -> list[Difference]:
    """Recompute balances, grants, gifts and refunds from the transfers, and list whatever does not agree.

    Transaction: joins, and only reads. What comes back is bounded per check.
    """
    return [*_compare_balances(c), *_compare_grants(c), *_compare_owners(c), *_compare_lines(c)]


def _compare_balances(c: Connection) -> Iterator[Difference]:
    for row in balance_queries.list_unequal_balances(c):
        if row.expected is None:
            kind = DifferenceKind.BALANCE_WITHOUT_TRANSFERS
        elif row.found is None:
            kind = DifferenceKind.BALANCE_MISSING
        else:
            kind = DifferenceKind.BALANCE_DIFFERS
        yield Difference(
            kind=kind,
            subject=_render_key(row.key),
            expected=_list_amounts(row.expected),
            found=_list_amounts(row.found),
        )
    for balance in balance_queries.list_negative_balances(c):
        yield Difference(
            kind=DifferenceKind.BALANCE_NEGATIVE,
            subject=_render_key(balance.key),
            expected={},
            found=_list_amounts(balance),
        )


def _compare_grants(c: Connection) -> Iterator[Difference]:
    for grant in line_queries.list_unequal_grants(c):
        yield Difference(
            kind=DifferenceKind.GRANT_DIFFERS,
            subject=grant.grant_id,
            expected=asdict(grant.expected),
            found=asdict(grant.found),
        )
    for gift in line_queries.list_gifts_without_grant(c):
        yield Difference(
            kind=DifferenceKind.GIFT_WITHOUT_GRANT,
            subject=gift.transfer_id,
            expected={"grants": 1, "granted_credits": gift.given_credits},
            found={"grants": gift.receivers_grants, "granted_credits": gift.granted_credits},
        )


def _compare_owners(c: Connection) -> Iterator[Difference]:
    for line in owner_queries.list_other_owners(c):
        yield Difference(
            kind=DifferenceKind.GRANT_OF_ANOTHER,
            subject=f"{line.grant_id} in {line.transfer_id}",
            expected={"user_id": line.user_id, "guild_id": line.guild_id},
            found={"user_id": line.grant_user_id, "guild_id": line.grant_guild_id},
        )
    for share in owner_queries.list_unequal_shares(c):
        yield Difference(
            kind=DifferenceKind.SHARE_DIFFERS,
            subject=share.grant_id,
            expected={
                "amount_credits": share.offered_credits,
                "guild_id": share.offered_guild_id,
                "expires_at": _render_time(share.offered_expires_at),
            },
            found={
                "amount_credits": share.amount_credits,
                "guild_id": share.guild_id,
                "expires_at": _render_time(share.expires_at),
            },
        )
    for part in owner_queries.list_exceeding_parts(c):
        yield Difference(
            kind=DifferenceKind.PART_EXCEEDS,
            subject=f"{part.transfer_id} of {part.grant_id}",
            expected={"credits": part.earlier_credits},
            found={"credits": part.credits},
        )


def _compare_lines(c: Connection) -> Iterator[Difference]:
    for parts in line_queries.list_unequal_parts(c):
        yield Difference(
            kind=DifferenceKind.PARTS_DIFFER,
            subject=parts.transfer_id,
            expected={"credits": parts.granted_credits},
            found={"credits": parts.parts_credits},
        )
    for reservation_id, count in line_queries.list_resolved_twice(c):
        yield Difference(
            kind=DifferenceKind.RESERVATION_RESOLVED_TWICE,
            subject=reservation_id,
            expected={"resolutions": 1},
            found={"resolutions": count},
        )
    for refund in line_queries.list_unequal_refunds(c):
        yield Difference(
            kind=DifferenceKind.REFUND_DIFFERS,
            subject=refund.reservation_id,
            expected={
                "refunds": 1,
                "credits": refund.settled_credits,
                "granted_credits": refund.settled_granted_credits,
            },
            found={
                "refunds": refund.refunds,
                "credits": refund.refunded_credits,
                "granted_credits": refund.refunded_granted_credits,
            },
        )
    for job_id, held_credits in line_queries.list_ended_jobs_that_hold(c):
        yield Difference(
            kind=DifferenceKind.JOB_STILL_HOLDS,
            subject=job_id,
            expected={"held_credits": 0},
            found={"held_credits": held_credits},
        )
    for job in owner_queries.list_other_ends(c):
        yield Difference(
            kind=DifferenceKind.JOB_ENDED_OTHERWISE,
            subject=job.job_id,
            expected={"state": "delivered" if job.charged else "ended without a picture"},
            found={"state": job.state.value},
        )


def _render_key(key: BalanceKey) -> str:
    where = f"{key.guild_id} " if key.guild_id else ""
    return f"{key.scope} {where}{key.owner_id} {key.period} {key.period_start}"


def _list_amounts(balance: Balance | None) -> dict[str, object]:
    if balance is None:
        return {}
    return {
        "held_credits": balance.held_credits,
        "used_credits": balance.used_credits,
        "exempt_credits": balance.exempt_credits,
        "held_jobs": balance.held_jobs,
        "last_reserved_at": _render_time(balance.last_reserved_at),
    }


def _render_time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
