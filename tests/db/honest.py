"""An honest ledger for the audit's tests, written by SQL alone, and the hand that changes it.

Shape: a grant with a part given on and a part expired; a job refunded, one open, one voided, one kept; a reset.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from tests.db.raw_rows import (
    CHANNEL,
    GUILD,
    OTHER_USER,
    USER,
    insert_grant,
    insert_job,
    insert_row,
    insert_transfer,
    render_time,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.engine import Database

# The last evening of March in UTC, a Wednesday in April in the server's own zone.
AT = datetime(2026, 3, 31, 20, 0, 0, 500_000, tzinfo=UTC)
LOCAL_DATE = "2026-04-01"
KEYS = [
    ("channel", GUILD, CHANNEL, "day", "2026-04-01"),
    ("channel", GUILD, CHANNEL, "month", "2026-04-01"),
    ("channel", GUILD, CHANNEL, "week", "2026-03-30"),
    ("member", 0, USER, "day", "2026-03-31"),
    ("member", 0, USER, "ever", "1970-01-01"),
    ("member", 0, USER, "month", "2026-03-01"),
    ("membership", GUILD, USER, "day", "2026-04-01"),
    ("membership", GUILD, USER, "ever", "1970-01-01"),
    ("membership", GUILD, USER, "month", "2026-04-01"),
    ("membership", GUILD, USER, "week", "2026-03-30"),
    ("server", GUILD, GUILD, "day", "2026-04-01"),
    ("server", GUILD, GUILD, "ever", "1970-01-01"),
    ("server", GUILD, GUILD, "month", "2026-04-01"),
]


def fill(c: Connection) -> None:
    insert_grant(c, "g1", 20, held_credits=2, removed_credits=7)
    insert_transfer(c, "grant-1", "grant", grant_id="g1", amount_credits=20)
    insert_transfer(c, "give", "give", grant_id="g1", amount_credits=5, other_user_id=OTHER_USER)
    insert_grant(c, "g2", 5, user_id=OTHER_USER)
    insert_transfer(
        c, "grant-2", "grant", user_id=OTHER_USER, grant_id="g2", amount_credits=5, source_id="give"
    )
    insert_transfer(c, "expire", "expire", grant_id="g1", amount_credits=2)
    for job, held, granted in (("refunded", 8, 3), ("open", 8, 2), ("void", 4, 0), ("kept", 4, 0)):
        insert_job(c, job, running_max=3)
        insert_line(c, f"r-{job}", "reserve", job, amount_credits=held, granted_credits=granted)
        insert_part(c, f"r-{job}", granted)
    insert_line(
        c, "s-refunded", "settle", "refunded", amount_credits=6, granted_credits=1, reported_credits=6
    )
    insert_part(c, "s-refunded", 1)
    # The week's reset, below, came first: its cap had forgiven the 5 credits of the allowance already.
    insert_line(
        c,
        "f-refunded",
        "refund",
        "refunded",
        amount_credits=6,
        granted_credits=1,
        limits='[{"period": "week", "forgiven": 5}]',
    )
    insert_part(c, "f-refunded", 1)
    insert_line(c, "v-void", "void", "void", amount_credits=4)
    insert_line(c, "s-kept", "settle", "kept", amount_credits=4, reported_credits=4)
    insert_transfer(c, "reset", "reset", amount_credits=9, period="week", local_date=LOCAL_DATE)
    for key in KEYS:
        granted = 2 if key[0] == "membership" else 0
        # kvid was paid for the refunded picture, so the operator's counters keep its 6 credits.
        paid = 6 if key[0] in {"member", "server"} else 0
        forgiven = 4 if key[0] == "membership" and key[3] == "week" else 0
        insert_balance(c, key, used=4 + paid, exempt=granted + forgiven)


def insert_line(c: Connection, transfer_id: str, kind: str, job: str, **values: object) -> None:
    reservation = None if kind == "reserve" else f"r-{job}"
    line: dict[str, Any] = {"job_id": job, "reservation_id": reservation, "local_date": LOCAL_DATE}
    insert_transfer(c, transfer_id, kind, at=AT, **line, **values)


def insert_part(c: Connection, transfer_id: str, amount: int) -> None:
    if amount:
        insert_row(
            c, "transfer_part", transfer_id=transfer_id, grant_id="g1", position=0, amount_credits=amount
        )


def insert_balance(
    c: Connection, key: tuple[str, int, int, str, str], *, held: int = 8, used: int = 4, exempt: int = 0
) -> None:
    insert_row(
        c,
        "balance",
        **dict(zip(("scope", "guild_id", "owner_id", "period", "period_start"), key, strict=True)),
        held_credits=held,
        used_credits=used if held else 0,
        exempt_credits=exempt,
        held_jobs=1 if held else 0,
        last_reserved_at=render_time(AT) if held else None,
    )


async def tamper(database: Database, *statements: str) -> None:
    def work(c: Connection) -> None:
        for statement in statements:
            c.execute(text(statement))

    await database.transaction(work)
