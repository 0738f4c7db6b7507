"""The tables of revision 0002, and the two that it replaces as revision 0001 had them. Frozen with it.

Owns shapes alone; `versions.r0002_credits_and_caps` moves the rows.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_TIME = sa.DateTime(timezone=True)
_PERIODS = "('day', 'week', 'month', 'ever')"


def create_index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, [*columns])


def create_unique(name: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "transfer", [column], unique=True, sqlite_where=where, postgresql_where=where)


def create_role_grant() -> None:
    op.create_table(
        "role_grant",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("role_id", sa.BigInteger, nullable=False),
        sa.Column("amount_credits", sa.Integer, nullable=False),
        sa.Column("granted_by", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("expires_at", _TIME),
        sa.Column("open_until", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_role_grant"),
        _check("role_grant", "amount_credits", "amount_credits > 0"),
    )
    create_index("role_grant", "guild_id", "open_until")


def create_credit_grant() -> None:
    op.create_table(
        "credit_grant",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("amount_credits", sa.Integer, nullable=False),
        sa.Column("held_credits", sa.Integer, nullable=False),
        sa.Column("used_credits", sa.Integer, nullable=False),
        sa.Column("removed_credits", sa.Integer, nullable=False),
        sa.Column("granted_by", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("role_grant_id", sa.String(32)),
        sa.Column("expires_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_credit_grant"),
        _refer("credit_grant", "role_grant_id", "role_grant"),
        sa.UniqueConstraint("role_grant_id", "user_id", name="uq_credit_grant_role_grant_id_user_id"),
        _check("credit_grant", "amount_credits", "amount_credits > 0"),
        _check("credit_grant", "parts", "held_credits >= 0 AND used_credits >= 0 AND removed_credits >= 0"),
        _check("credit_grant", "left", "held_credits + used_credits + removed_credits <= amount_credits"),
    )
    create_index("credit_grant", "guild_id", "user_id")
    create_index("credit_grant", "expires_at")


def create_transfer() -> None:
    resolving = "(kind IN ('settle', 'void', 'refund')) = (reservation_id IS NOT NULL)"
    kinds = "kind IN ('reserve', 'settle', 'void', 'refund', 'grant', 'give', 'expire', 'correct', 'reset')"
    op.create_table(
        "transfer",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("job_id", sa.String(20)),
        sa.Column("reservation_id", sa.String(32)),
        sa.Column("grant_id", sa.String(32)),
        sa.Column("source_id", sa.String(32)),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("channel_id", sa.BigInteger),
        sa.Column("amount_credits", sa.Integer, nullable=False),
        sa.Column("granted_credits", sa.Integer, nullable=False),
        sa.Column("reported_credits", sa.Integer),
        sa.Column("local_date", sa.Date, nullable=False),
        sa.Column("period", sa.String(16)),
        sa.Column("limits", sa.JSON, nullable=False),
        sa.Column("actor_id", sa.BigInteger),
        sa.Column("other_user_id", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.Column("reserved_at", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transfer"),
        _refer("transfer", "job_id", "job"),
        _refer("transfer", "reservation_id", "transfer"),
        _refer("transfer", "grant_id", "credit_grant"),
        _refer("transfer", "source_id", "transfer"),
        _check("transfer", "amount_credits", "amount_credits >= 0"),
        _check("transfer", "granted_credits", "granted_credits >= 0 AND granted_credits <= amount_credits"),
        _check("transfer", "reported_credits", "reported_credits IS NULL OR reported_credits >= 0"),
        _check(
            "transfer", "job_id", "(kind IN ('reserve', 'settle', 'void', 'refund')) = (job_id IS NOT NULL)"
        ),
        _check(
            "transfer",
            "grant_id",
            "(kind IN ('grant', 'give', 'expire', 'correct')) = (grant_id IS NOT NULL)",
        ),
        _check("transfer", "reservation_id", resolving),
        _check("transfer", "settle_reports", "(kind = 'settle') = (reported_credits IS NOT NULL)"),
        _check("transfer", "period", "(kind = 'reset') = (period IS NOT NULL)"),
        _check("transfer", "kind", kinds),
        _check("transfer", "period_choice", f"period IN {_PERIODS}"),
    )


def create_transfer_part() -> None:
    op.create_table(
        "transfer_part",
        sa.Column("transfer_id", sa.String(32), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("amount_credits", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("transfer_id", "grant_id", name="pk_transfer_part"),
        _refer("transfer_part", "transfer_id", "transfer"),
        _refer("transfer_part", "grant_id", "credit_grant"),
        _check("transfer_part", "amount_credits", "amount_credits > 0"),
    )
    create_index("transfer_part", "grant_id")


def create_balance() -> None:
    op.create_table(
        "balance",
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("owner_id", sa.BigInteger, nullable=False),
        sa.Column("period", sa.String(16), nullable=False),
        sa.Column("period_start", sa.Date, nullable=False),
        sa.Column("held_credits", sa.BigInteger, nullable=False),
        sa.Column("used_credits", sa.BigInteger, nullable=False),
        sa.Column("exempt_credits", sa.BigInteger, nullable=False),
        sa.Column("held_jobs", sa.Integer, nullable=False),
        sa.Column("last_reserved_at", _TIME),
        sa.PrimaryKeyConstraint("scope", "guild_id", "owner_id", "period", "period_start", name="pk_balance"),
        _check("balance", "held_credits", "held_credits >= 0"),
        _check("balance", "used_credits", "used_credits >= 0"),
        _check("balance", "exempt_credits", "exempt_credits >= 0"),
        _check("balance", "held_jobs", "held_jobs >= 0"),
        _check("balance", "scope", "scope IN ('channel', 'member', 'membership', 'server')"),
        _check("balance", "period", f"period IN {_PERIODS}"),
    )
    create_index("balance", "scope", "guild_id", "period", "period_start")


def create_server() -> None:
    op.create_table(
        "server",
        sa.Column("guild_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("policy", sa.JSON, nullable=False),
        sa.Column("left_at", _TIME),
        sa.Column("posted_entry_id", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("guild_id", name="pk_server"),
        _check("server", "version", "version >= 1"),
    )


def create_membership() -> None:
    op.create_table(
        "membership",
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("cap_credits", sa.Integer),
        sa.Column("cap_period", sa.String(16)),
        sa.Column("blocked_until", _TIME),
        sa.Column("block_reason", sa.Text),
        sa.Column("pass_until", _TIME),
        sa.PrimaryKeyConstraint("guild_id", "user_id", name="pk_membership"),
        _check("membership", "cap_credits", "cap_credits IS NULL OR cap_credits >= 0"),
        _check("membership", "cap_has_period", "cap_credits IS NULL OR cap_period IS NOT NULL"),
        _check("membership", "cap_period", f"cap_period IN {_PERIODS}"),
    )
    create_index("membership", "guild_id", "blocked_until")


def create_audit_entry() -> None:
    op.create_table(
        "audit_entry",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False, autoincrement=True
        ),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("actor_id", sa.BigInteger, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("target_id", sa.BigInteger),
        sa.Column("before", sa.JSON),
        sa.Column("after", sa.JSON),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
        _check(
            "audit_entry",
            "action",
            "action IN ('setting', 'member_cap', 'block', 'unblock', 'pass', 'grant', 'role_grant', "
            "'correct', 'give', 'reset', 'refund', 'hide', 'automod', 'export')",
        ),
        sqlite_autoincrement=True,
    )
    create_index("audit_entry", "guild_id", "id")
    create_index("audit_entry", "guild_id", "target_id", "id")


def create_old_transfer() -> None:
    op.create_table(
        "transfer",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("job_id", sa.String(20), nullable=False),
        sa.Column("reservation_id", sa.String(32)),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("amount_credits", sa.Integer, nullable=False),
        sa.Column("reported_credits", sa.Integer),
        sa.Column("reserved_at", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transfer"),
        _refer("transfer", "job_id", "job"),
        _refer("transfer", "reservation_id", "transfer"),
        sa.UniqueConstraint("reservation_id", name="uq_transfer_reservation_id"),
        _check("transfer", "amount_credits", "amount_credits >= 0"),
        _check("transfer", "reported_credits", "reported_credits IS NULL OR reported_credits >= 0"),
        _check("transfer", "reservation_id", "(kind = 'reserve') = (reservation_id IS NULL)"),
        _check("transfer", "settle_reports", "(kind = 'settle') = (reported_credits IS NOT NULL)"),
        _check("transfer", "kind", "kind IN ('reserve', 'settle', 'void')"),
    )


def create_old_balance() -> None:
    op.create_table(
        "balance",
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("owner_id", sa.BigInteger, nullable=False),
        sa.Column("period", sa.String(16), nullable=False),
        sa.Column("period_start", sa.Date, nullable=False),
        sa.Column("held_credits", sa.BigInteger, nullable=False),
        sa.Column("used_credits", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("scope", "owner_id", "period", "period_start", name="pk_balance"),
        _check("balance", "held_credits", "held_credits >= 0"),
        _check("balance", "used_credits", "used_credits >= 0"),
        _check("balance", "scope", "scope IN ('member', 'server')"),
        _check("balance", "period", "period IN ('day', 'month', 'ever')"),
    )


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _refer(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}_{other}")
