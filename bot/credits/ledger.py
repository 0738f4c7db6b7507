"""The credit ledger: reserve, then settle or void.

Owns the order of the ledger's writes. Stands between the job service, whose transaction it joins, and
`db.queries.credits`. Must not know Discord, settings or the clock. In a transaction that also moves a job,
move the job first: rows are then locked in one order everywhere (job, transfer, balances).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.credits import rules
from bot.credits.values import (
    Difference,
    DifferenceKind,
    LimitReached,
    Limits,
    ReservationMissing,
    Settled,
    TransferConflict,
    Usage,
    Voided,
)
from db.enums import BalancePeriod, TransferKind
from db.queries import audit as audit_queries
from db.queries import credits as queries
from db.values import Balance, BalanceKey, Transfer

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection


class _Full(Exception):
    def __init__(self, key: BalanceKey) -> None:
        self.key = key


def reserve(
    c: Connection,
    *,
    transfer_id: str,
    job_id: str,
    user_id: int,
    guild_id: int | None,
    amount_credits: int,
    limits: Limits,
    now: datetime,
) -> None:
    """Hold a job's credits in every balance it counts in, if all limits allow.

    Transaction: joins. A refusal leaves nothing behind, so the caller may go on in the same transaction.
    Repeatable: by `job_id`; the job must be stored before.
    Raises: LimitReached; TransferConflict when the job holds something else already.
    """
    transfer = Transfer(
        id=transfer_id,
        kind=TransferKind.RESERVE,
        job_id=job_id,
        user_id=user_id,
        guild_id=guild_id,
        amount_credits=amount_credits,
        reserved_at=now,
        created_at=now,
    )
    try:
        with c.begin_nested():
            _reserve_all(c, transfer, limits)
    except _Full as full:
        raise _build_refusal(c, full.key, limits, amount_credits, now) from None


def settle(
    c: Connection,
    *,
    transfer_id: str,
    job_id: str,
    used_credits: int,
    tolerance_credits: int,
    now: datetime,
) -> Settled:
    """Charge what kvid reported, at most the reservation and the tolerance, and give the rest back.

    Transaction: joins. Counts in the periods of the reservation, whenever it is settled.
    Repeatable: by `job_id`; a second call, and one after a void, changes nothing and says so.
    Raises: ReservationMissing, TransferConflict.
    """
    reservation = _get_reservation(c, job_id)
    charged, excess = rules.settle_amount(reservation.amount_credits, used_credits, tolerance_credits)
    transfer = _build_resolution(
        reservation,
        transfer_id=transfer_id,
        kind=TransferKind.SETTLE,
        amount_credits=charged,
        reported_credits=used_credits,
        now=now,
    )
    earlier = _resolve(c, reservation, transfer)
    if earlier is None:
        return Settled(charged=charged, excess=excess, already=False)
    if earlier.kind is TransferKind.VOID:
        return Settled(charged=0, excess=0, already=True, voided=True)
    excess = (earlier.reported_credits or 0) - earlier.amount_credits
    return Settled(charged=earlier.amount_credits, excess=excess, already=True)


def void(c: Connection, *, transfer_id: str, job_id: str, now: datetime) -> Voided:
    """Give all of a job's reservation back.

    Transaction: joins.
    Repeatable: by `job_id`; a second call, and one after a settle, changes nothing and says so.
    Raises: ReservationMissing, TransferConflict.
    """
    reservation = _get_reservation(c, job_id)
    transfer = _build_resolution(
        reservation,
        transfer_id=transfer_id,
        kind=TransferKind.VOID,
        amount_credits=reservation.amount_credits,
        now=now,
    )
    earlier = _resolve(c, reservation, transfer)
    if earlier is None:
        return Voided(already=False)
    return Voided(already=True, settled=earlier.kind is TransferKind.SETTLE)


def usage(c: Connection, *, user_id: int, now: datetime) -> Usage:
    """Tell what a member used today and this month (UTC), and what running jobs hold.

    Transaction: joins, and only reads.
    """
    used, held = {}, 0
    for key in rules.balance_keys(user_id, None, now):
        balance = queries.find_balance(c, key)
        used[key.period] = balance.used_credits if balance else 0
        if key.period is BalancePeriod.EVER and balance:
            held = balance.held_credits
    return Usage(
        today_credits=used[BalancePeriod.DAY], month_credits=used[BalancePeriod.MONTH], held_credits=held
    )


def audit(c: Connection) -> list[Difference]:
    """Recompute every balance from the transfers, and list whatever does not agree.

    Transaction: joins, and only reads. The database sums; what comes back is bounded per check.
    """
    return [
        *(_build_balance_difference(row) for row in audit_queries.list_unequal_balances(c)),
        *(_build_negative_difference(balance) for balance in audit_queries.list_negative_balances(c)),
        *(
            Difference(
                kind=DifferenceKind.RESERVATION_RESOLVED_TWICE,
                subject=reservation_id,
                expected={"resolutions": 1},
                found={"resolutions": count},
            )
            for reservation_id, count in audit_queries.list_resolved_twice(c)
        ),
        *(
            Difference(
                kind=DifferenceKind.JOB_STILL_HOLDS,
                subject=job_id,
                expected={"held_credits": 0},
                found={"held_credits": held_credits},
            )
            for job_id, held_credits in audit_queries.list_ended_jobs_that_hold(c)
        ),
    ]


def _reserve_all(c: Connection, transfer: Transfer, limits: Limits) -> None:
    if not queries.insert_transfer(c, transfer):
        _check_repeated(c, transfer)
        return
    keys = rules.balance_keys(transfer.user_id, transfer.guild_id, transfer.reserved_at)
    queries.ensure_balances(c, keys)
    for key in keys:
        limit = rules.find_limit(key, limits)
        limit_credits = None if limit is None else limit[1]
        if not queries.hold_credits(c, key, transfer.amount_credits, limit_credits):
            raise _Full(key)


def _check_repeated(c: Connection, transfer: Transfer) -> None:
    stored = queries.find_reservation(c, transfer.job_id)
    if stored is None or (stored.user_id, stored.guild_id, stored.amount_credits) != (
        transfer.user_id,
        transfer.guild_id,
        transfer.amount_credits,
    ):
        raise TransferConflict(transfer.id, transfer.job_id)


def _build_refusal(
    c: Connection, key: BalanceKey, limits: Limits, needed_credits: int, now: datetime
) -> LimitReached | queries.BalanceMissing:
    limit = rules.find_limit(key, limits)
    resets_at = rules.next_reset(key.period, now)
    if limit is None or resets_at is None:
        return queries.BalanceMissing(key)
    # The savepoint took a balance created for this reservation with it; then nothing was used or held.
    balance = queries.find_balance(c, key)
    return LimitReached(
        rule=limit[0],
        limit_credits=limit[1],
        used_credits=balance.used_credits if balance else 0,
        held_credits=balance.held_credits if balance else 0,
        needed_credits=needed_credits,
        resets_at=resets_at,
    )


def _get_reservation(c: Connection, job_id: str) -> Transfer:
    reservation = queries.find_reservation(c, job_id)
    if reservation is None:
        raise ReservationMissing(job_id)
    return reservation


def _build_resolution(
    reservation: Transfer,
    *,
    transfer_id: str,
    kind: TransferKind,
    amount_credits: int,
    now: datetime,
    reported_credits: int | None = None,
) -> Transfer:
    return Transfer(
        id=transfer_id,
        kind=kind,
        job_id=reservation.job_id,
        reservation_id=reservation.id,
        user_id=reservation.user_id,
        guild_id=reservation.guild_id,
        amount_credits=amount_credits,
        reported_credits=reported_credits,
        reserved_at=reservation.reserved_at,
        created_at=now,
    )


def _resolve(c: Connection, reservation: Transfer, transfer: Transfer) -> Transfer | None:
    """Write a resolution and move the balances, or return the one that was there first."""
    if not queries.insert_transfer(c, transfer):
        earlier = queries.find_resolution(c, reservation.id)
        if earlier is None:
            raise TransferConflict(transfer.id, transfer.job_id)
        return earlier
    used_credits = transfer.amount_credits if transfer.kind is TransferKind.SETTLE else 0
    for key in rules.balance_keys(reservation.user_id, reservation.guild_id, reservation.reserved_at):
        queries.resolve_credits(c, key, held_credits=reservation.amount_credits, used_credits=used_credits)
    return None


def _build_balance_difference(row: audit_queries.UnequalBalance) -> Difference:
    if row.expected is None:
        kind = DifferenceKind.BALANCE_WITHOUT_TRANSFERS
    elif row.found is None:
        kind = DifferenceKind.BALANCE_MISSING
    else:
        kind = DifferenceKind.BALANCE_DIFFERS
    return Difference(
        kind=kind,
        subject=_render_key(row.key),
        expected=_list_amounts(row.expected),
        found=_list_amounts(row.found),
    )


def _build_negative_difference(balance: Balance) -> Difference:
    return Difference(
        kind=DifferenceKind.BALANCE_NEGATIVE,
        subject=_render_key(balance.key),
        expected={},
        found=_list_amounts(balance),
    )


def _render_key(key: BalanceKey) -> str:
    return f"{key.scope} {key.owner_id} {key.period} {key.period_start}"


def _list_amounts(balance: Balance | None) -> dict[str, int]:
    if balance is None:
        return {}
    return {"held_credits": balance.held_credits, "used_credits": balance.used_credits}
