"""The verb `jobs`: what the operator sees of jobs and does to them, on the command line.

Owns its arguments and the lines it prints: no prompts and no secrets. Works on the database alone, beside
running bots. What each act does stands in `bot.jobs.by_hand`.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from typing import TYPE_CHECKING

from bot.cli_arguments import parse_id
from bot.ids import JOB_ID_PATTERN
from bot.jobs.states import GIVEN_UP
from db.enums import OPEN, TERMINAL, JobState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from bot.jobs.by_hand import JobsByHand
    from bot.settings import StoreSettings
    from db.values import Job

    Act = Callable[[JobsByHand, argparse.Namespace], Awaitable[list[str]]]

LIMIT_MAX = 1_000
_GROUPS = {"open": OPEN, "ended": TERMINAL, "all": frozenset(JobState)}


def add_verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the verb; what to do is left in `act`."""
    jobs = verbs.add_parser("jobs", help="list, show, repeat and call off jobs")
    acts = jobs.add_subparsers(dest="what", required=True, metavar="act")

    def add(name: str, act: Act, text: str) -> argparse.ArgumentParser:
        parser = acts.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        parser.set_defaults(act=act)
        return parser

    listing = add("list", _list, "one line a job, the newest last")
    listing.add_argument(
        "--state",
        choices=[*_GROUPS, *(state.value for state in JobState)],
        default="open",
        help="which ones (default: open)",
    )
    listing.add_argument("--server", type=parse_id, metavar="ID", help="of one server")
    listing.add_argument("--member", type=parse_id, metavar="ID", help="of one member")
    listing.add_argument("--limit", type=_limit, default=50, metavar="N", help="at most so many (default 50)")
    for name, act, text in (
        ("show", _show, "everything stored about one job, but for its prompt"),
        ("retry", _retry, "ask again for a job that ended without a picture, at its member's cost"),
        ("void", _void, "call an open job off: its credits return, its member is told"),
    ):
        add(name, act, text).add_argument("job", type=_job_id, metavar="JOB")


def run(options: argparse.Namespace, settings: StoreSettings) -> list[str]:
    """Do what was asked for. Shape: the lines to print. **Raises** AppError for what cannot be done."""
    from bot.caps.service import Caps  # noqa: PLC0415 - the other verbs start without it
    from bot.caps.values import OperatorLimits  # noqa: PLC0415 - see above
    from bot.clock import SystemClock  # noqa: PLC0415 - see above
    from bot.jobs.by_hand import JobsByHand  # noqa: PLC0415 - see above
    from bot.jobs.service import Jobs  # noqa: PLC0415 - see above
    from db.engine import Database  # noqa: PLC0415 - see above

    async def act() -> list[str]:
        clock, database = SystemClock(), Database(settings.database_url)
        limits = OperatorLimits(
            member_daily_credits=settings.member_daily_credits,
            server_monthly_credits=settings.server_monthly_credits,
        )
        try:
            jobs = Jobs(database, clock, Caps(database, clock, limits).admission)
            lines: list[str] = await options.act(JobsByHand(database, clock, jobs), options)
            return lines
        finally:
            await database.close()

    return asyncio.run(act())


# --- arguments ---


def _job_id(text: str) -> str:
    if re.fullmatch(JOB_ID_PATTERN, text):
        return text
    raise argparse.ArgumentTypeError("a job's id has 20 letters a to f and digits; see: kvid-bot jobs list")


def _limit(text: str) -> int:
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= LIMIT_MAX:
        return int(text)
    raise argparse.ArgumentTypeError(f"a whole number from 1 to {LIMIT_MAX}")


# --- acts ---


async def _list(by_hand: JobsByHand, options: argparse.Namespace) -> list[str]:
    states = _GROUPS.get(options.state) or frozenset({JobState(options.state)})
    jobs = await by_hand.list_jobs(
        states, user_id=options.member, guild_id=options.server, limit=options.limit
    )
    if not jobs:
        return [f"No job is {options.state}." if options.state != "all" else "There are no jobs."]
    return [_row("job", "state", "since (UTC)", "server", "member", "credits", "why"), *map(_line, jobs)]


async def _show(by_hand: JobsByHand, options: argparse.Namespace) -> list[str]:
    found = await by_hand.show(options.job)
    job = found.job
    facts: list[tuple[str, object]] = [
        ("job", job.id),
        ("state", job.state.value),
        ("why", f"{job.failure}: {job.failure_detail}" if job.failure else None),
        ("kind", job.kind.value),
        ("server", job.guild_id or "direct messages"),
        ("channel", job.channel_id),
        ("member", job.user_id),
        ("owner", f"take {job.epoch}"),
        ("at kvid", job.kvid_job_id),
        ("result", job.message_id),
        ("credits", _credits(job)),
        ("pictures", job.image_count),
    ]
    return [
        *(f"{name:<12}{value}" for name, value in facts if value is not None),
        *("", "what happened (UTC)"),
        *(
            f"  {_time(event.at, precise=True)}  {event.name}  {_detail(event.detail)}"
            for event in found.events
        ),
        *("", "in the ledger"),
        *(
            f"  {_time(transfer.created_at, precise=True)}  {transfer.kind.value}  {transfer.amount_credits}"
            for transfer in found.transfers
        ),
    ]


async def _retry(by_hand: JobsByHand, options: argparse.Namespace) -> list[str]:
    job = await by_hand.retry(options.job)
    return [f"Job {job.id} is in line for member {job.user_id}, with {job.reserved_credits} credits held."]


async def _void(by_hand: JobsByHand, options: argparse.Namespace) -> list[str]:
    job = await by_hand.void(options.job)
    lines = [
        (
            f"Job {job.id} is called off ({job.state.value}); {job.reserved_credits} credits returned to member "
            f"{job.user_id}. A running bot tells them within two minutes."
        )
    ]
    if job.state is GIVEN_UP[JobState.DELIVERING]:
        lines.append(
            f"It was being posted: its picture may be in channel {job.channel_id} all the same. Look there."
        )
    return lines


# --- lines ---


def _row(*cells: str) -> str:
    widths = (21, 14, 20, 20, 20, 8)
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)) + cells[-1]


def _line(job: Job) -> str:
    server = str(job.guild_id or "direct")
    why = job.failure or ("" if job.state is not JobState.RESERVED else _place(job))
    return _row(
        job.id, job.state.value, _time(job.updated_at), server, str(job.user_id), _credits(job), why
    ).rstrip()


def _place(job: Job) -> str:
    return "in line" if job.admitted_at is None else "has a place at kvid"


def _credits(job: Job) -> str:
    if job.used_credits is not None and job.state is JobState.DELIVERED:
        return str(job.used_credits)
    return f"{job.reserved_credits}" if job.state in OPEN else "0"


def _time(at: datetime, *, precise: bool = False) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" + (f".{at.microsecond // 1000:03}" if precise else "")


def _detail(detail: object) -> str:
    return " ".join(f"{name}={value}" for name, value in detail.items()) if isinstance(detail, dict) else ""
