"""The credit ledger: reserve, then settle or void; refund and reset.

Owns the order of the ledger's writes. Stands between the services, whose transactions it joins, and
`db.queries`. Must not know Discord, settings or the clock, nor who may do what. In a transaction that also
moves a job, move the job first: rows are then locked in one order everywhere (job, transfer, balances, grants).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date
from typing import TYPE_CHECKING

from bot.credits import rules, spending
from bot.credits.values import (
    Outrun,
    Refunded,
    Reservation,
    ReservationMissing,
    Settled,
    TransferConflict,
    Voided,
)
from db.enums import BalancePeriod, BalanceScope, TransferKind
from db.queries import balances as balance_queries
from db.queries import credits as queries
from db.queries import grants as grant_queries
from db.values import BalanceKey, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

# More than any reservation: no limit stands in the way.
UNLIMITED_CREDITS = 2**31


# --- a job's credits ---


def reserve(c: Connection, reservation: Reservation) -> None:
    """Hold a job's credits in every balance it counts in, and of the grants that bear a part.

    Transaction: joins; after Outrun roll it back, since some balances may have been written.
    Repeatable: by `job_id`; the job must be stored before.
    Raises: Outrun; TransferConflict when the job holds something else already.
    """
    transfer = Transfer(
        id=reservation.transfer_id,
        kind=TransferKind.RESERVE,
        job_id=reservation.job_id,
        user_id=reservation.user_id,
        guild_id=reservation.guild_id,
        channel_id=reservation.channel_id,
        amount_credits=reservation.amount_credits,
        granted_credits=reservation.granted_credits,
        local_date=reservation.local_date,
        limits=tuple(
            _render_limit(one.key, one.limit_credits)
            for one in reservation.counted
            if one.limit_credits is not None
        ),
        reserved_at=reservation.now,
        created_at=reservation.now,
    )
    if not queries.insert_transfer(c, transfer):
        _check_repeated(c, transfer)
        return
    if not balance_queries.hold_credits(
        c,
        reservation.counted,
        amount_credits=transfer.amount_credits,
        granted_credits=transfer.granted_credits,
        now=reservation.now,
    ):
        raise Outrun
    for grant_id, amount in reservation.parts:
        if not grant_queries.hold_grant(c, grant_id, amount, reservation.now):
            raise Outrun
    queries.insert_parts(c, transfer.id, reservation.parts)


def settle(
    c: Connection,
    *,
    transfer_id: str,
    job_id: str,
    used_credits: int,
    tolerance_credits: int,
    now: datetime,
) -> Settled:
    """Charge what kvid reported and give the rest back; the allowance pays first, then the grants.

    What was reported beyond the reservation is charged up to the tolerance, and only where every limit that
    the reservation was held under has room for it; the operator bears the rest.

    Transaction: joins. Counts in the periods of the reservation, whenever it is settled.
    Repeatable: by `job_id`; a second call, and one after a void, changes nothing and says so.
    Raises: ReservationMissing, TransferConflict.
    """
    reservation = _get_reservation(c, job_id)
    charged, _ = rules.settle_amount(reservation.amount_credits, used_credits, tolerance_credits)
    if charged > reservation.amount_credits:
        charged = min(charged, reservation.amount_credits + _find_room(c, reservation))
    held = [(part.grant_id, part.amount_credits) for part in queries.list_parts(c, reservation.id)]
    borne = rules.split_charge(min(charged, reservation.amount_credits), reservation.amount_credits, held)
    transfer = replace(
        _build_resolution(reservation, transfer_id, TransferKind.SETTLE, now),
        amount_credits=charged,
        granted_credits=sum(amount for _, amount in borne),
        reported_credits=used_credits,
    )
    earlier = _resolve(c, reservation, transfer, held, borne)
    if earlier is None:
        return Settled(charged=charged, excess=used_credits - charged, already=False)
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
    held = [(part.grant_id, part.amount_credits) for part in queries.list_parts(c, reservation.id)]
    transfer = replace(_build_resolution(reservation, transfer_id, TransferKind.VOID, now), granted_credits=0)
    earlier = _resolve(c, reservation, transfer, held, ())
    if earlier is None:
        return Voided(already=False)
    return Voided(already=True, settled=earlier.kind is TransferKind.SETTLE)


def refund(
    c: Connection, *, transfer_id: str, job_id: str, actor_id: int, reason: str | None, now: datetime
) -> Refunded:
    """Give back what a settled job was charged, to the allowance, the channel and the grants that paid.

    The operator's own limits, a member's day and a server's month, keep it: kvid was paid, and moderators
    must not be able to refill them. An allowance takes back no more than is used of it: what a reset forgave
    is not given back once more.

    Transaction: joins.
    Repeatable: by `job_id`; a second call changes nothing and says so.
    Raises: ReservationMissing when nothing was charged for the job.
    """
    reservation = _get_reservation(c, job_id)
    settled = queries.find_resolution(c, reservation.id)
    if settled is None or settled.kind is not TransferKind.SETTLE or not settled.amount_credits:
        raise ReservationMissing(job_id)
    keys = [key for key in keys_of(reservation) if key.scope in rules.REFUNDED_SCOPES]
    # Locked before they are looked at: others use and reset them meanwhile.
    balance_queries.lock_balances(c, keys)
    beyond = _find_beyond(c, keys, settled.amount_credits - settled.granted_credits)
    transfer = replace(
        _build_resolution(reservation, transfer_id, TransferKind.REFUND, now),
        amount_credits=settled.amount_credits,
        granted_credits=settled.granted_credits,
        limits=tuple({"period": key.period.value, "forgiven": amount} for key, amount in beyond),
        actor_id=actor_id,
        reason=reason,
    )
    if not queries.insert_transfer(c, transfer):
        earlier = queries.find_refund(c, reservation.id)
        if earlier is None:
            raise TransferConflict(transfer_id, job_id)
        return _build_refunded(earlier, (), already=True)
    balance_queries.move_credits(
        c, keys, used_credits=-transfer.amount_credits, exempt_credits=-transfer.granted_credits
    )
    for key, amount in beyond:
        balance_queries.move_credits(c, [key], exempt_credits=-amount)
    parts = [(part.grant_id, part.amount_credits) for part in queries.list_parts(c, settled.id)]
    for grant_id, amount in parts:
        _move_grant(c, grant_id, used=-amount)
    queries.insert_parts(c, transfer.id, parts)
    return _build_refunded(transfer, beyond, already=False)


def reset(
    c: Connection,
    *,
    transfer_id: str,
    guild_id: int,
    user_id: int,
    period: BalancePeriod,
    local_date: date,
    actor_id: int,
    reason: str | None,
    now: datetime,
) -> int:
    """Forgive what a member's cap has counted as used in the running period; what is held stays held.

    Transaction: joins. Shape: how many credits were forgiven; 0 writes nothing.
    Raises: TransferConflict for an id that was used before.
    """
    key = rules.build_key(BalanceScope.MEMBERSHIP, guild_id, user_id, period, local_date)
    # Two who reset at once would else both forgive the same credits.
    balance_queries.lock_balances(c, [key])
    amount = spending.find_forgivable(c, key)
    if amount == 0:
        return 0
    transfer = Transfer(
        id=transfer_id,
        kind=TransferKind.RESET,
        user_id=user_id,
        guild_id=guild_id,
        amount_credits=amount,
        period=period,
        local_date=local_date,
        actor_id=actor_id,
        reason=reason,
        reserved_at=now,
        created_at=now,
    )
    if not queries.insert_transfer(c, transfer):
        raise TransferConflict(transfer_id, None)
    balance_queries.move_credits(c, [key], exempt_credits=amount)
    return amount


def keys_of(reservation: Transfer) -> tuple[BalanceKey, ...]:
    """Every balance that a stored reservation counts in."""
    return rules.balance_keys(
        user_id=reservation.user_id,
        guild_id=reservation.guild_id,
        channel_id=reservation.channel_id,
        local_date=reservation.local_date,
        utc_date=rules.local_day(reservation.reserved_at, UTC),
    )


# --- parts ---


def _check_repeated(c: Connection, transfer: Transfer) -> None:
    stored = queries.find_reservation(c, transfer.job_id or "")
    if stored is None or (stored.user_id, stored.guild_id, stored.amount_credits) != (
        transfer.user_id,
        transfer.guild_id,
        transfer.amount_credits,
    ):
        raise TransferConflict(transfer.id, transfer.job_id)


def _get_reservation(c: Connection, job_id: str) -> Transfer:
    reservation = queries.find_reservation(c, job_id)
    if reservation is None:
        raise ReservationMissing(job_id)
    return reservation


def _build_resolution(reservation: Transfer, transfer_id: str, kind: TransferKind, now: datetime) -> Transfer:
    return replace(
        reservation, id=transfer_id, kind=kind, reservation_id=reservation.id, limits=(), created_at=now
    )


def _resolve(
    c: Connection,
    reservation: Transfer,
    transfer: Transfer,
    held: list[tuple[str, int]],
    borne: tuple[tuple[str, int], ...],
) -> Transfer | None:
    """Write a resolution and move balances and grants, or return the one that was there first."""
    if not queries.insert_transfer(c, transfer):
        earlier = queries.find_resolution(c, reservation.id)
        if earlier is None:
            raise TransferConflict(transfer.id, transfer.job_id)
        return earlier
    charged = transfer.amount_credits if transfer.kind is TransferKind.SETTLE else 0
    balance_queries.move_credits(
        c,
        keys_of(reservation),
        held_credits=-reservation.amount_credits,
        used_credits=charged,
        exempt_credits=transfer.granted_credits - reservation.granted_credits,
        held_jobs=-1,
    )
    used = dict(borne)
    for grant_id, amount in held:
        _move_grant(c, grant_id, held=-amount, used=used.get(grant_id, 0))
    queries.insert_parts(c, transfer.id, borne)
    return None


def _move_grant(c: Connection, grant_id: str, *, held: int = 0, used: int = 0) -> None:
    if not grant_queries.move_grant(c, grant_id, held=held, used=used):
        raise LookupError(grant_id)


def _build_refunded(
    transfer: Transfer, beyond: Iterable[tuple[BalanceKey, int]], *, already: bool
) -> Refunded:
    return Refunded(
        amount=transfer.amount_credits,
        already=already,
        allowance=transfer.amount_credits - transfer.granted_credits,
        local_date=transfer.local_date,
        forgiven={key.period: amount for key, amount in beyond},
    )


def _find_beyond(
    c: Connection, keys: Sequence[BalanceKey], allowance_credits: int
) -> list[tuple[BalanceKey, int]]:
    """How much of an allowance's part of a refund each cap has forgotten already, because it was forgiven."""
    memberships = [key for key in keys if key.scope is BalanceScope.MEMBERSHIP]
    beyond = [(key, max(0, allowance_credits - spending.find_forgivable(c, key))) for key in memberships]
    return [(key, amount) for key, amount in beyond if amount]


def _find_room(c: Connection, reservation: Transfer) -> int:
    """How much more fits into every limit that the reservation was held under."""
    limits = {_read_limit(one): int(str(one["limit"])) for one in reservation.limits}
    if not limits:
        return UNLIMITED_CREDITS
    # All that this settle will write are locked, in the one order, so that what is read here still holds then.
    found = balance_queries.lock_balances(c, keys_of(reservation))
    return max(0, min(limit - found[key].counted_credits for key, limit in limits.items()))


def _render_limit(key: BalanceKey, limit_credits: int) -> dict[str, object]:
    return {
        "scope": key.scope.value,
        "guild": key.guild_id,
        "owner": key.owner_id,
        "period": key.period.value,
        "start": key.period_start.isoformat(),
        "limit": limit_credits,
    }


def _read_limit(limit: Mapping[str, object]) -> BalanceKey:
    return BalanceKey(
        scope=BalanceScope(str(limit["scope"])),
        guild_id=int(str(limit["guild"])),
        owner_id=int(str(limit["owner"])),
        period=BalancePeriod(str(limit["period"])),
        period_start=date.fromisoformat(str(limit["start"])),
    )
