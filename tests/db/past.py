"""A past for the migration's tests: jobs over several days and servers, and their counters counted by hand.

Owns rows of revision 0001 and what may have happened since at 0002. Knows neither the models nor the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import text

from tests.db.raw_rows import (
    CHANNEL,
    GUILD,
    OTHER_CHANNEL,
    OTHER_GUILD,
    OTHER_USER,
    USER,
    insert_entry,
    insert_grant,
    insert_job,
    insert_role_grant,
    insert_row,
    insert_server,
    insert_transfer,
    render_time,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

Key: TypeAlias = tuple[str, int, int, str, str]
Counter: TypeAlias = tuple[int, int, int, str]
Past: TypeAlias = tuple[int, int | None, int, datetime, int, int | str | None]

# Who, where, when, held, and then what was charged, "void", or None for still open. Around the ends of days,
# weeks (2026-03-15 is a Sunday) and months, in two servers and in direct messages.
RESERVATIONS: list[Past] = [
    (USER, GUILD, CHANNEL, datetime.fromisoformat("2026-02-28T23:59:59.999999+00:00"), 8, 8),
    (USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-01T00:00:00+00:00"), 8, 6),
    (USER, GUILD, OTHER_CHANNEL, datetime.fromisoformat("2026-03-14T15:09:26.535897+00:00"), 4, None),
    (USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-15T12:00:00.000001+00:00"), 8, "void"),
    (USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-16T00:00:00.5+00:00"), 8, 10),
    (OTHER_USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-16T01:00:00.25+00:00"), 2, None),
    (OTHER_USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-16T02:00:00.75+00:00"), 3, None),
    (OTHER_USER, OTHER_GUILD, CHANNEL, datetime.fromisoformat("2026-03-16T03:00:00.125+00:00"), 6, 0),
    (USER, None, OTHER_CHANNEL, datetime.fromisoformat("2026-03-16T04:00:00.875+00:00"), 8, None),
    (USER, None, OTHER_CHANNEL, datetime.fromisoformat("2026-03-17T04:00:00.625+00:00"), 8, 8),
]
# Reserved with credits of a grant.
LATER: Past = (USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-01T00:00:00+00:00"), 8, 7)
OLD_PERIODS = {"member": ("day", "month", "ever"), "server": ("month", "ever")}
NEW_PERIODS = {
    "member": ("day", "month", "ever"),
    "server": ("day", "month", "ever"),
    "membership": ("day", "week", "month", "ever"),
    "channel": ("day", "week", "month"),
}


def fill_old(c: Connection) -> None:
    for index, (user, guild, channel, at, held, end) in enumerate(RESERVATIONS):
        job_id = f"{index:020x}"
        states: dict[object, str] = {None: "submitted", "void": "failed"}
        insert_job(
            c,
            job_id,
            at=at,
            guild=guild,
            user_id=user,
            channel_id=channel,
            reserved_credits=held,
            state=states.get(end, "delivered"),
        )
        insert_row(
            c,
            "job_event",
            job_id=job_id,
            at=render_time(at),
            name="job.reserved",
            state="reserved",
            detail="{}",
        )
        line: dict[str, object] = {
            "job_id": job_id,
            "user_id": user,
            "guild_id": guild,
            "reserved_at": render_time(at),
        }
        insert_row(
            c,
            "transfer",
            id=f"r{index}",
            kind="reserve",
            amount_credits=held,
            created_at=render_time(at),
            **line,
        )
        if end is not None:
            line |= {"reservation_id": f"r{index}", "created_at": render_time(at + timedelta(days=2))}
            settle: dict[str, object] = {"kind": "settle", "amount_credits": end, "reported_credits": end}
            void: dict[str, object] = {"kind": "void", "amount_credits": held}
            insert_row(c, "transfer", id=f"e{index}", **line, **(void if end == "void" else settle))
    for (scope, _, owner, period, start), (held, used, _, _) in count_past(OLD_PERIODS).items():
        key = {"scope": scope, "owner_id": owner, "period": period, "period_start": start}
        insert_row(c, "balance", **key, held_credits=held, used_credits=used)
    insert_row(c, "command_sync", scope="global", hash="abc")


def spend_grants(c: Connection) -> None:
    """One line of every new kind, and the counters as the ledger would keep them."""
    job_id, (_, _, _, at, held, charged) = "f" * 20, LATER
    insert_role_grant(c, "everyone")
    insert_grant(c, "g1", 20, used_credits=1, removed_credits=8)
    insert_grant(c, "g2", 5, user_id=OTHER_USER, role_grant_id="everyone")
    insert_transfer(c, "grant-1", "grant", grant_id="g1", amount_credits=20)
    insert_transfer(c, "give", "give", grant_id="g1", amount_credits=5, other_user_id=OTHER_USER)
    gift: dict[str, Any] = {"grant_id": "g2", "amount_credits": 5, "source_id": "give", "user_id": OTHER_USER}
    insert_transfer(c, "grant-2", "grant", **gift)
    insert_transfer(c, "expire", "expire", grant_id="g1", amount_credits=2)
    insert_transfer(c, "correct", "correct", grant_id="g1", amount_credits=1)
    insert_transfer(c, "reset", "reset", amount_credits=6, period="month", local_date="2026-03-17")
    refunded: dict[str, Any] = {"job_id": f"{1:020x}", "reservation_id": "r1"}
    insert_transfer(c, "refund", "refund", at=RESERVATIONS[1][3], amount_credits=6, **refunded)
    insert_job(c, job_id, at=at, running_max=3, state="delivered")
    line: dict[str, Any] = {"at": at, "job_id": job_id}
    insert_transfer(c, "later", "reserve", amount_credits=held, granted_credits=3, **line)
    end: dict[str, Any] = {"reservation_id": "later", "amount_credits": charged, "reported_credits": charged}
    insert_transfer(c, "settled", "settle", granted_credits=1, **end, **line)
    for transfer_id, amount in (("later", 3), ("settled", 1)):
        part = {"transfer_id": transfer_id, "grant_id": "g1", "position": 0, "amount_credits": amount}
        insert_row(c, "transfer_part", **part)
    insert_server(c, GUILD)
    insert_entry(c, GUILD)
    insert_row(c, "membership", guild_id=GUILD, user_id=USER, cap_credits=5, cap_period="week")
    exempt: dict[Key, int] = defaultdict(int)
    for period in NEW_PERIODS["membership"]:
        exempt["membership", GUILD, USER, period, _find_start(period, at)] += 1
    exempt["membership", GUILD, USER, "month", "2026-03-01"] += 6
    c.execute(text("DELETE FROM balance"))
    paid = [*RESERVATIONS, LATER]
    kept = [*RESERVATIONS[:1], (*RESERVATIONS[1][:5], 0), *RESERVATIONS[2:], LATER]
    # What was given back stays counted where the operator's limits look.
    for scope, periods in NEW_PERIODS.items():
        past = paid if scope in {"member", "server"} else kept
        _store_counters(c, count_past({scope: periods}, past), exempt)


def _store_counters(c: Connection, counters: Mapping[Key, Counter], exempt: Mapping[Key, int]) -> None:
    for key, (held, used, jobs, last) in counters.items():
        scope, guild, owner, period, start = key
        insert_row(
            c,
            "balance",
            scope=scope,
            guild_id=guild,
            owner_id=owner,
            period=period,
            period_start=start,
            held_credits=held,
            used_credits=used,
            exempt_credits=exempt.get(key, 0),
            held_jobs=jobs,
            last_reserved_at=last,
        )


def count_past(
    periods: Mapping[str, tuple[str, ...]], past: Sequence[Past] = RESERVATIONS
) -> dict[Key, Counter]:
    """Count the past by hand: held, used, open jobs, and the last reservation's time."""
    counters: dict[Key, Counter] = {}
    for user, guild, channel, at, held, end in past:
        owners: dict[str, tuple[int | None, int | None]] = {
            "member": (0, user),
            "server": (guild, guild),
            "membership": (guild, user),
            "channel": (guild, channel),
        }
        for scope in periods:
            where, owner = owners[scope]
            if where is None or owner is None:
                continue
            for period in periods[scope]:
                key = (scope, where, owner, period, _find_start(period, at))
                found = counters.get(key, (0, 0, 0, ""))
                counters[key] = (
                    found[0] + (held if end is None else 0),
                    found[1] + (end if isinstance(end, int) else 0),
                    found[2] + (end is None),
                    max(found[3], render_time(at)),
                )
    return counters


def _find_start(period: str, at: datetime) -> str:
    day = at.date()
    starts = {
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "ever": date(1970, 1, 1),
    }
    return starts[period].isoformat()
