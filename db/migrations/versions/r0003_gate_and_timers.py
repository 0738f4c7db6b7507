"""One gate towards kvid, turns between servers, timers that fire once; which waiting job has its place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_IN_LINE = "state = 'reserved' AND admitted_at IS NULL"
_INDEXES = (
    ("ix_job_waiting_in_server", ["guild_id", "number"], f"{_IN_LINE} AND guild_id IS NOT NULL"),
    ("ix_job_waiting_direct", ["user_id", "number"], f"{_IN_LINE} AND guild_id IS NULL"),
    ("ix_job_admitted", ["number"], "state = 'reserved' AND admitted_at IS NOT NULL"),
)


def upgrade() -> None:
    # Nullable, so that a process of the version before goes on beside this one: what it leaves out is in line.
    op.add_column("job", sa.Column("admitted_at", _TIME))
    for name, columns, condition in _INDEXES:
        where = sa.text(condition)
        op.create_index(name, "job", columns, sqlite_where=where, postgresql_where=where)
    where = sa.text("name = 'notice.due'")
    op.create_index(
        "ix_job_event_notice_due", "job_event", ["at"], sqlite_where=where, postgresql_where=where
    )
    op.create_table(
        "kvid_gate",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("window_jobs", sa.Float, nullable=False),
        sa.Column("limits_in_a_row", sa.Integer, nullable=False),
        sa.Column("decreased_at", _TIME),
        sa.Column("paused_until", _TIME),
        sa.Column("breaker", sa.String(16), nullable=False),
        sa.Column("failures_in_a_row", sa.Integer, nullable=False),
        sa.Column("opened_at", _TIME),
        sa.Column("probe_at", _TIME),
        sa.Column("refused", sa.String(16)),
        sa.Column("refusals_in_a_row", sa.Integer, nullable=False),
        sa.Column("refused_since", _TIME),
        sa.Column("refused_probe_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_kvid_gate"),
        sa.CheckConstraint("id = 1", name=op.f("ck_kvid_gate_one_row")),
        sa.CheckConstraint("window_jobs >= 1", name=op.f("ck_kvid_gate_window_jobs")),
        sa.CheckConstraint("breaker IN ('closed', 'open', 'half_open')", name=op.f("ck_kvid_gate_breaker")),
        sa.CheckConstraint("refused IN ('empty', 'key')", name=op.f("ck_kvid_gate_refused")),
    )
    op.create_table(
        "server_turn",
        sa.Column("flow_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("deficit_credits", sa.Integer, nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("flow_id", name="pk_server_turn"),
        sa.CheckConstraint("deficit_credits >= 0", name=op.f("ck_server_turn_deficit_credits")),
    )
    op.create_table(
        "timer",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_timer"),
    )


def downgrade() -> None:
    for table in ("timer", "server_turn", "kvid_gate"):
        op.drop_table(table)
    for name, _, _ in _INDEXES:
        op.drop_index(name, "job")
    op.drop_index("ix_job_event_notice_due", "job_event")
    op.drop_column("job", "admitted_at")
