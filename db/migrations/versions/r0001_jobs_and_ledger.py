"""Jobs, their events and the credit ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATES = (
    "state IN ('reserved', 'submitting', 'submitted', 'succeeded', 'delivering', 'delivered', 'failed', "
    "'refused', 'unknown', 'undeliverable', 'cancelled')"
)
_APPEND_ONLY = ("transfer", "job_event")


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    _create_job(number)
    _create_job_event(number)
    _create_transfer()
    _create_balance()
    op.create_table(
        "command_sync",
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_command_sync"),
    )
    for table in _APPEND_ONLY:
        _refuse_changes(table)


def downgrade() -> None:
    for table in ("command_sync", "balance", "transfer", "job_event", "job"):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def _create_job(number: sa.types.TypeEngine[int]) -> None:
    op.create_table(
        "job",
        sa.Column("number", number, nullable=False, autoincrement=True),
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("request_id", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("surface", sa.String(16), nullable=False),
        sa.Column("delivery", sa.String(16), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("channel_id", sa.BigInteger, nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("negative_prompt", sa.Text),
        sa.Column("aspect_ratio", sa.String(16)),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("image_count", sa.Integer, nullable=False),
        sa.Column("steps", sa.Integer),
        sa.Column("guidance", sa.Float),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("output_format", sa.String(16), nullable=False),
        sa.Column("source_url", sa.Text),
        sa.Column("source_channel_id", sa.BigInteger),
        sa.Column("source_message_id", sa.BigInteger),
        sa.Column("source_attachment_id", sa.BigInteger),
        sa.Column("parent_job_id", sa.String(20)),
        sa.Column("parent_image_index", sa.Integer),
        sa.Column("application_id", sa.BigInteger),
        sa.Column("interaction_token", sa.Text),
        sa.Column("interaction_expires_at", sa.DateTime(timezone=True)),
        sa.Column("request_message_id", sa.BigInteger),
        sa.Column("card_message_id", sa.BigInteger),
        sa.Column("reserved_credits", sa.Integer, nullable=False),
        sa.Column("used_credits", sa.Integer),
        sa.Column("kvid_job_id", sa.Text),
        sa.Column("estimated_s", sa.Float),
        sa.Column("results", sa.JSON, nullable=False),
        sa.Column("nonce", sa.String(25), nullable=False),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("failure", sa.String(64)),
        sa.Column("failure_detail", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("number", name="pk_job"),
        sa.UniqueConstraint("id", name="uq_job_id"),
        sa.UniqueConstraint("request_id", name="uq_job_request_id"),
        _check("job", "epoch", "epoch >= 0"),
        _check("job", "image_count", "image_count >= 1"),
        _check("job", "reserved_credits", "reserved_credits >= 0"),
        _check("job", "used_credits", "used_credits IS NULL OR used_credits >= 0"),
        _check("job", "state", _STATES),
        _check("job", "kind", "kind IN ('text_to_image', 'image_to_image')"),
        _check("job", "surface", "surface IN ('interaction', 'message')"),
        _check("job", "delivery", "delivery IN ('channel', 'interaction')"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_state_number", "job", ["state", "number"])
    op.create_index("ix_job_user_id_number", "job", ["user_id", "number"])
    op.create_index("ix_job_message_id", "job", ["message_id"])


def _create_job_event(number: sa.types.TypeEngine[int]) -> None:
    op.create_table(
        "job_event",
        sa.Column("id", number, nullable=False, autoincrement=True),
        sa.Column("job_id", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job_event"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_job_event_job_id_job"),
        _check("job_event", "state", _STATES),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_event_job_id", "job_event", ["job_id"])


def _create_transfer() -> None:
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
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transfer"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_transfer_job_id_job"),
        sa.ForeignKeyConstraint(
            ["reservation_id"], ["transfer.id"], name="fk_transfer_reservation_id_transfer"
        ),
        sa.UniqueConstraint("reservation_id", name="uq_transfer_reservation_id"),
        _check("transfer", "amount_credits", "amount_credits >= 0"),
        _check("transfer", "reported_credits", "reported_credits IS NULL OR reported_credits >= 0"),
        _check("transfer", "reservation_id", "(kind = 'reserve') = (reservation_id IS NULL)"),
        _check("transfer", "settle_reports", "(kind = 'settle') = (reported_credits IS NOT NULL)"),
        _check("transfer", "kind", "kind IN ('reserve', 'settle', 'void')"),
    )
    only_reserves = sa.text("kind = 'reserve'")
    op.create_index(
        "uq_transfer_one_reserve_per_job",
        "transfer",
        ["job_id"],
        unique=True,
        sqlite_where=only_reserves,
        postgresql_where=only_reserves,
    )


def _create_balance() -> None:
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


def _refuse_changes(table: str) -> None:
    """Make a table append-only, whoever writes to it."""
    if op.get_context().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '23001'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
