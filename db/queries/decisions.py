"""The one SELECT of a decision: everything stored about who asks, in a single round trip.

Owns that statement. Its rows are of five kinds put under one another, since they have nothing else in common.
Must not know what a rule makes of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Integer,
    String,
    and_,
    bindparam,
    cast,
    column,
    exists,
    literal_column,
    null,
    or_,
    select,
    text,
    type_coerce,
    union_all,
)

from db.enums import BalancePeriod
from db.models import BALANCE, CREDIT_GRANT, MEMBERSHIP, ROLE_GRANT, SERVER
from db.models.base import UtcDateTime, read_utc
from db.queries._prepared import Prepared, read_time
from db.queries.balances import build_keys, match_keys, render_keys
from db.values import Balance, BalanceKey, CreditGrant, Membership, RoleGrant

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select
    from sqlalchemy.types import TypeEngine

GRANTS_MAX = 200
# More are not open in one server at a time.
OFFERS_MAX = 25
OPERATOR_ID = 0

# The columns that all kinds share; what each means stands in the reader of its kind.
_TYPES: Mapping[str, TypeEngine[Any]] = {
    "kind": String(),
    "text_1": String(),
    "text_2": String(),
    **{f"number_{index}": BigInteger() for index in range(1, 6)},
    "at_1": UtcDateTime(),
    "at_2": UtcDateTime(),
    "at_3": UtcDateTime(),
}
_GUILD = bindparam("guild", type_=BigInteger())
_USER = bindparam("user", type_=BigInteger())
_NOW = bindparam("now", type_=UtcDateTime())
# One JSON text, for the reason that `build_keys` gives.
_ROLES = {
    "sqlite": "SELECT value FROM json_each(:roles)",
    "postgresql": "SELECT CAST(value AS bigint) AS value FROM jsonb_array_elements_text(CAST(:roles AS jsonb))",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is stored about one asker.

    Shape: `offers` are those to a role of theirs that they have not taken; `versions` are those of the
    server's settings and of the operator's (id 0), where they exist.
    """

    balances: Mapping[BalanceKey, Balance]
    grants: tuple[CreditGrant, ...]
    offers: tuple[RoleGrant, ...]
    membership: Membership | None
    versions: Mapping[int, int]


def find_facts(
    c: Connection,
    keys: Sequence[BalanceKey],
    *,
    user_id: int,
    guild_id: int | None,
    role_ids: Collection[int],
    now: datetime,
) -> Facts:
    """Read balances, spendable grants, offers to take, what moderators decided, and the settings' versions."""
    params: dict[str, Any] = {
        "user": user_id,
        "now": now,
        "wanted": render_keys(keys),
    }
    if guild_id is not None:
        params |= {"guild": guild_id, "roles": json.dumps(sorted(role_ids))}
    select_facts = _SELECT if guild_id is None else _SELECT_IN_SERVER
    rows = select_facts.run(c, params).all()
    of: dict[str, list[Any]] = {kind: [] for kind in ("balance", "grant", "offer", "membership", "server")}
    for row in rows:
        of[row[0]].append(row)
    guild = guild_id or 0
    memberships = [_read_membership(row, guild, user_id) for row in of["membership"]]
    return Facts(
        balances={(key := keys[row[3]]): _read_balance(row, key) for row in of["balance"]},
        grants=tuple(_read_grant(row, guild, user_id) for row in of["grant"]),
        offers=tuple(_read_offer(row, guild) for row in of["offer"]),
        membership=memberships[0] if memberships else None,
        versions={row.number_1: row.number_2 for row in of["server"]},
    )


def _build_select(dialect: str, *, in_server: bool) -> CompoundSelect[Any]:
    parts = [_select_balances(dialect)]
    if in_server:
        parts += [_select_grants(), _select_offers(dialect), _select_membership()]
    parts.append(_select_versions(in_server=in_server))
    return union_all(*parts)


def _columns(kind: str, **given: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    # Written out rather than bound: forty parameters would cost more than the statement.
    shown = {"kind": literal_column(f"'{kind}'", String()), **given}
    return [
        type_coerce(shown[name], type_).label(name) if name in shown else cast(null(), type_).label(name)
        for name, type_ in _TYPES.items()
    ]


def _select_balances(dialect: str) -> Select[Any]:
    b = BALANCE.c
    wanted = build_keys(dialect).subquery("wanted")
    columns = _columns(
        "balance",
        number_1=wanted.c.position,
        number_2=b.held_credits,
        number_3=b.used_credits,
        number_4=b.exempt_credits,
        number_5=b.held_jobs,
        at_1=b.last_reserved_at,
    )
    return select(*columns).select_from(BALANCE).join(wanted, match_keys(wanted))


def _read_balance(row: Any, key: BalanceKey) -> Balance:
    # By place, as there are a dozen: number_2 to number_5, and at_1.
    _, _, _, _, held, used, exempt, jobs, last_reserved_at, *_ = row
    return Balance(key, held, used, exempt, jobs, read_time(last_reserved_at))


def _select_grants() -> Select[Any]:
    g = CREDIT_GRANT.c
    left = g.amount_credits - g.held_credits - g.used_credits - g.removed_credits
    usable = (
        select(CREDIT_GRANT)
        .where(
            g.guild_id == _GUILD,
            g.user_id == _USER,
            left > 0,
            or_(g.expires_at.is_(None), g.expires_at > _NOW),
        )
        .order_by(g.expires_at.is_(None), g.expires_at, g.created_at, g.id)
        .limit(GRANTS_MAX)
        .subquery()
    )
    return select(
        *_columns(
            "grant",
            text_1=usable.c.id,
            text_2=usable.c.role_grant_id,
            number_1=usable.c.amount_credits,
            number_2=usable.c.held_credits,
            number_3=usable.c.used_credits,
            number_4=usable.c.removed_credits,
            number_5=usable.c.granted_by,
            at_1=usable.c.expires_at,
            at_2=usable.c.created_at,
        )
    )


def _read_grant(row: Any, guild_id: int, user_id: int) -> CreditGrant:
    return CreditGrant(
        id=row.text_1,
        guild_id=guild_id,
        user_id=user_id,
        amount_credits=row.number_1,
        held_credits=row.number_2,
        used_credits=row.number_3,
        removed_credits=row.number_4,
        granted_by=row.number_5,
        reason="",
        role_grant_id=row.text_2,
        expires_at=read_time(row.at_1),
        created_at=read_utc(row.at_2),
    )


def _select_offers(dialect: str) -> Select[Any]:
    r, g = ROLE_GRANT.c, CREDIT_GRANT.c
    roles = text(_ROLES[dialect]).columns(column("value", BigInteger())).subquery("roles")
    taken = exists().where(and_(g.role_grant_id == r.id, g.user_id == _USER))
    offers = (
        select(ROLE_GRANT)
        .where(
            r.guild_id == _GUILD,
            r.role_id.in_(select(roles.c.value)),
            r.open_until > _NOW,
            or_(r.expires_at.is_(None), r.expires_at > _NOW),
            ~taken,
        )
        .order_by(r.created_at, r.id)
        .limit(OFFERS_MAX)
        .subquery()
    )
    return select(
        *_columns(
            "offer",
            text_1=offers.c.id,
            text_2=offers.c.reason,
            number_1=offers.c.role_id,
            number_2=offers.c.amount_credits,
            number_3=offers.c.granted_by,
            at_1=offers.c.expires_at,
            at_2=offers.c.created_at,
            at_3=offers.c.open_until,
        )
    )


def _read_offer(row: Any, guild_id: int) -> RoleGrant:
    return RoleGrant(
        id=row.text_1,
        guild_id=guild_id,
        role_id=row.number_1,
        amount_credits=row.number_2,
        granted_by=row.number_3,
        reason=row.text_2,
        created_at=read_utc(row.at_2),
        open_until=read_utc(row.at_3),
        expires_at=read_time(row.at_1),
    )


def _select_membership() -> Select[Any]:
    m = MEMBERSHIP.c
    return select(
        *_columns(
            "membership",
            text_1=m.cap_period,
            text_2=m.block_reason,
            number_1=type_coerce(m.cap_credits, Integer()),
            at_1=m.blocked_until,
            at_2=m.pass_until,
        )
    ).where(m.guild_id == _GUILD, m.user_id == _USER)


def _read_membership(row: Any, guild_id: int, user_id: int) -> Membership:
    return Membership(
        guild_id=guild_id,
        user_id=user_id,
        cap_credits=row.number_1,
        cap_period=BalancePeriod(row.text_1) if row.text_1 else None,
        blocked_until=read_time(row.at_1),
        block_reason=row.text_2,
        pass_until=read_time(row.at_2),
    )


def _select_versions(*, in_server: bool) -> Select[Any]:
    s = SERVER.c
    operator = literal_column(str(OPERATOR_ID), BigInteger())
    wanted = (_GUILD, operator) if in_server else (operator,)
    return select(
        *_columns("server", number_1=s.guild_id, number_2=type_coerce(s.version, BigInteger()))
    ).where(s.guild_id.in_(wanted))


_SELECT = Prepared(partial(_build_select, in_server=False))
_SELECT_IN_SERVER = Prepared(partial(_build_select, in_server=True))
