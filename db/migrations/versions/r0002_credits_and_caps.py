"""Grants, caps, settings, the audit log, and counters per server, member and channel."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.migrations import r0002_tables as tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OLD_TRANSFER = (
    "id, kind, job_id, reservation_id, user_id, guild_id, amount_credits, reported_credits, reserved_at, "
    "created_at"
)
_OLD_KEY = "scope, owner_id, period, period_start"
_BALANCE = (
    "scope, guild_id, owner_id, period, period_start, held_credits, used_credits, exempt_credits, held_jobs, "
    "last_reserved_at"
)
_OLD_COUNTERS = (
    *(("member", period) for period in ("day", "month", "ever")),
    *(("server", period) for period in ("month", "ever")),
)
_NEW_COUNTERS = (
    ("server", "day"),
    *(("membership", period) for period in ("day", "week", "month", "ever")),
    *(("channel", period) for period in ("day", "week", "month")),
)
_OWNERS = {"member": "user_id", "server": "guild_id", "membership": "user_id", "channel": "channel_id"}


def upgrade() -> None:
    _extend_job()
    tables.create_role_grant()
    tables.create_credit_grant()
    _move_transfers_up()
    tables.create_transfer_part()
    _create_effect()
    _move_balances_up()
    op.execute("DROP TABLE effect")
    tables.create_server()
    tables.create_membership()
    tables.create_audit_entry()
    for table in ("transfer", "transfer_part"):
        _refuse_changes(table, "UPDATE", "DELETE", "TRUNCATE")
    _refuse_changes("audit_entry", "UPDATE", "TRUNCATE")
    _refuse_deletion_while_there()


def downgrade() -> None:
    for table in ("audit_entry", "membership", "server", "transfer_part"):
        op.drop_table(table)
    if not _is_sqlite():
        op.execute("DROP FUNCTION refuse_deletion_while_there()")
    _move_transfers_down()
    for table in ("credit_grant", "role_grant"):
        op.drop_table(table)
    op.drop_table("balance")
    tables.create_old_balance()
    # Counted anew: the old ledger knew no refunds, and its months were all in UTC.
    _create_effect()
    _insert_sums("balance", _OLD_COUNTERS, f"{_OLD_KEY}, held_credits, used_credits")
    op.execute("DROP TABLE effect")
    op.drop_index("ix_job_guild_id_created_at", "job")
    for column in ("running_max", "hidden_at"):
        op.execute(f"ALTER TABLE job DROP COLUMN {column}")


def _extend_job() -> None:
    # One clause: SQLite adds no CHECK to a column that exists, nor rebuilds a table that others refer to.
    op.execute(
        "ALTER TABLE job ADD COLUMN running_max INTEGER DEFAULT 3 NOT NULL "
        "CONSTRAINT ck_job_running_max CHECK (running_max >= 1)"
    )
    if not _is_sqlite():
        op.execute("ALTER TABLE job ALTER COLUMN running_max DROP DEFAULT")
    op.add_column("job", sa.Column("hidden_at", sa.DateTime(timezone=True)))
    tables.create_index("job", "guild_id", "created_at")


def _move_transfers_up() -> None:
    op.execute("CREATE TEMPORARY TABLE old_transfer AS SELECT * FROM transfer")
    op.drop_table("transfer")
    tables.create_transfer()
    utc_date = "date(o.reserved_at)" if _is_sqlite() else "CAST(o.reserved_at AT TIME ZONE 'UTC' AS date)"
    op.execute(
        f"INSERT INTO transfer ({_OLD_TRANSFER}, channel_id, granted_credits, limits, local_date) "  # noqa: S608 - constants
        f"SELECT o.{_OLD_TRANSFER.replace(', ', ', o.')}, j.channel_id, 0, '[]', {utc_date} "
        "FROM old_transfer o JOIN job j ON j.id = o.job_id"
    )
    op.execute("DROP TABLE old_transfer")
    tables.create_unique("uq_transfer_one_reserve_per_job", "job_id", "kind = 'reserve'")
    tables.create_unique("uq_transfer_one_resolution", "reservation_id", "kind IN ('settle', 'void')")
    tables.create_unique("uq_transfer_one_refund", "reservation_id", "kind = 'refund'")
    tables.create_unique("uq_transfer_one_grant_per_gift", "source_id", "source_id IS NOT NULL")
    tables.create_index("transfer", "guild_id", "created_at")
    tables.create_index("transfer", "guild_id", "user_id", "created_at")
    tables.create_index("transfer", "grant_id")


def _move_transfers_down() -> None:
    # Dropping a table, SQLite looks for the rows that refer to each row; partial indexes do not help it.
    op.create_index("ix_transfer_reservation_id", "transfer", ["reservation_id"])
    op.create_index("ix_transfer_source_id", "transfer", ["source_id"])
    op.execute(
        f"CREATE TEMPORARY TABLE old_transfer AS SELECT {_OLD_TRANSFER} FROM transfer "  # noqa: S608 - constants
        "WHERE kind IN ('reserve', 'settle', 'void')"
    )
    op.drop_table("transfer")
    tables.create_old_transfer()
    op.execute(f"INSERT INTO transfer ({_OLD_TRANSFER}) SELECT {_OLD_TRANSFER} FROM old_transfer")  # noqa: S608 - constants
    op.execute("DROP TABLE old_transfer")
    tables.create_unique("uq_transfer_one_reserve_per_job", "job_id", "kind = 'reserve'")
    _refuse_changes("transfer", "UPDATE", "DELETE", "TRUNCATE")


def _move_balances_up() -> None:
    op.execute("CREATE TEMPORARY TABLE old_balance AS SELECT * FROM balance")
    op.drop_table("balance")
    tables.create_balance()
    op.execute("CREATE TEMPORARY TABLE counted AS SELECT * FROM balance")
    _insert_sums("counted", _OLD_COUNTERS, _BALANCE)
    # Credits stay as they were kept, even where that was wrong: it is the audit that tells.
    op.execute(
        f"INSERT INTO balance ({_BALANCE}) "  # noqa: S608 - constants
        "SELECT o.scope, CASE o.scope WHEN 'server' THEN o.owner_id ELSE 0 END, o.owner_id, o.period, "
        "o.period_start, o.held_credits, o.used_credits, 0, COALESCE(n.held_jobs, 0), n.last_reserved_at "
        "FROM old_balance o LEFT JOIN counted n ON n.scope = o.scope AND n.owner_id = o.owner_id "
        "AND n.period = o.period AND n.period_start = o.period_start"
    )
    _insert_sums("balance", _NEW_COUNTERS, _BALANCE)
    op.execute("DROP TABLE counted")
    op.execute("DROP TABLE old_balance")


def _create_effect() -> None:
    """Write down what each reservation leaves in its counters, as both revisions count without grants."""
    day = "date(t.reserved_at)" if _is_sqlite() else "CAST(t.reserved_at AT TIME ZONE 'UTC' AS date)"
    op.execute(
        "CREATE TEMPORARY TABLE effect AS "  # noqa: S608 - constants
        f"SELECT t.user_id, t.guild_id, j.channel_id, t.reserved_at, {day} AS day, "
        "CASE WHEN r.id IS NULL THEN t.amount_credits ELSE 0 END AS held, "
        "CASE WHEN r.kind = 'settle' THEN r.amount_credits ELSE 0 END AS used, "
        "CASE WHEN r.id IS NULL THEN 1 ELSE 0 END AS open "
        "FROM transfer t JOIN job j ON j.id = t.job_id "
        "LEFT JOIN transfer r ON r.reservation_id = t.id AND r.kind IN ('settle', 'void') "
        "WHERE t.kind = 'reserve'"
    )


def _insert_sums(table: str, counters: tuple[tuple[str, str], ...], columns: str) -> None:
    for scope, period in counters:
        guild, owner = "0" if scope == "member" else "guild_id", _OWNERS[scope]
        start = _render_start(period)
        values = {
            "scope": f"'{scope}'",
            "guild_id": guild,
            "owner_id": owner,
            "period": f"'{period}'",
            "period_start": start,
            "held_credits": "SUM(held)",
            "used_credits": "SUM(used)",
            "exempt_credits": "0",
            "held_jobs": "SUM(open)",
            "last_reserved_at": "MAX(reserved_at)",
        }
        groups = [owner, *(["guild_id"] if scope != "member" else []), *([start] if period != "ever" else [])]
        op.execute(
            f"INSERT INTO {table} ({columns}) "  # noqa: S608 - constants
            f"SELECT {', '.join(values[column] for column in columns.split(', '))} FROM effect "
            f"WHERE {guild} IS NOT NULL GROUP BY {', '.join(groups)}"
        )


def _render_start(period: str) -> str:
    if _is_sqlite():
        return {
            "day": "day",
            "week": "date(day, '-6 days', 'weekday 1')",
            "month": "date(day, 'start of month')",
            "ever": "'1970-01-01'",
        }[period]
    if period == "ever":
        return "CAST('1970-01-01' AS date)"
    return f"CAST(date_trunc('{period}', CAST(day AS timestamp)) AS date)"


def _is_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _refuse_changes(table: str, *verbs: str) -> None:
    """Refuse these statements, whoever runs them."""
    if not _is_sqlite():
        op.execute(
            f"CREATE TRIGGER {table}_refuse_change BEFORE {' OR '.join(verbs)} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in verbs:
        # SQLite knows no TRUNCATE.
        if verb != "TRUNCATE":
            op.execute(
                f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _refuse_deletion_while_there() -> None:
    """Let an audit entry go only when the bot has left the entry's server."""
    has_left = "EXISTS (SELECT 1 FROM server WHERE guild_id = OLD.guild_id AND left_at IS NOT NULL)"
    if _is_sqlite():
        op.execute(
            f"CREATE TRIGGER audit_entry_refuse_delete BEFORE DELETE ON audit_entry WHEN NOT {has_left} "
            "BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION refuse_deletion_while_there() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {has_left} THEN RETURN OLD; END IF; "
        "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '23001'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_entry_refuse_delete BEFORE DELETE ON audit_entry "
        "FOR EACH ROW EXECUTE FUNCTION refuse_deletion_while_there()"
    )
