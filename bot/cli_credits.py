"""The verb `credits`: what the operator sees and decides about credits, on the command line.

Owns its arguments and the lines it prints. Works on the database alone, beside a running bot: that obeys with
its next decision. What each act does stands in `bot.caps`.
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.cli_arguments import parse_id
from bot.errors import AppError
from db.enums import BalancePeriod

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.caps.operator import MemberOverview, Operator, ServerOverview
    from bot.caps.service import Caps
    from bot.caps.values import Cap
    from bot.settings import StoreSettings
    from db.values import Balance

    Act = Callable[[Caps, Operator, argparse.Namespace], Awaitable[list[str]]]

AMOUNT_MAX = 1_000_000
REASON_LENGTH_MAX = 200
DAYS_MAX = 3_650
UNLIMITED = "unlimited"
# Unseen, but parts of emoji and of words in some scripts.
_JOINERS = dict.fromkeys([0x200C, 0x200D, *range(0xE0020, 0xE0080)])


def add_verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the verb; what to do is left in `act`."""
    credits_ = verbs.add_parser("credits", help="show, grant and reset credits; stop everything")
    acts = credits_.add_subparsers(dest="what", required=True, metavar="act")

    def add(name: str, act: Act, text: str) -> argparse.ArgumentParser:
        parser = acts.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        parser.set_defaults(act=act)
        return parser

    show = add("show", _show, "totals and your own share, or one server's or member's account")
    show.add_argument("--server", type=parse_id, metavar="ID", help="one server's account")
    show.add_argument("--member", type=parse_id, metavar="ID", help="one member's, there or over all servers")
    grant = add("grant", _grant, "give credits beyond the cap")
    grant.add_argument("--server", type=parse_id, metavar="ID", required=True)
    whom = grant.add_mutually_exclusive_group(required=True)
    whom.add_argument("--member", type=parse_id, metavar="ID")
    whom.add_argument(
        "--role", type=parse_id, metavar="ID", help="everybody who holds it; each takes them by asking"
    )
    grant.add_argument("--amount", type=_amount(1), metavar="N", required=True, help="credits each gets")
    grant.add_argument(
        "--days", type=_days, metavar="N", help="they expire after so many days (default: never)"
    )
    _add_reason(grant)
    reset = add("reset", _reset, "start a member's day, week and month over")
    reset.add_argument("--server", type=parse_id, metavar="ID", required=True)
    reset.add_argument("--member", type=parse_id, metavar="ID", required=True)
    _add_reason(reset)
    _add_reason(add("stop", _stop, "take no new jobs anywhere; what is on its way goes on"))
    _add_reason(add("resume", _resume, "take jobs again after a stop"), required=False)
    budget = add("budget", _budget, "give one server a budget of its own instead of SERVER_MONTHLY_CREDITS")
    budget.add_argument("--server", type=parse_id, metavar="ID", required=True)
    ceiling = budget.add_mutually_exclusive_group(required=True)
    ceiling.add_argument("--amount", type=_amount(0), metavar="N", help="credits per month")
    ceiling.add_argument("--default", action="store_true", help="back to SERVER_MONTHLY_CREDITS")
    _add_reason(budget, required=False)


def _add_reason(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--reason", type=_reason, metavar="TEXT", required=required, help="for the audit log, which keeps it"
    )


def run(options: argparse.Namespace, settings: StoreSettings) -> list[str]:
    """Do what was asked for. Shape: the lines to print. **Raises** AppError for what cannot be done."""
    from bot.caps.operator import Operator  # noqa: PLC0415 - the other verbs start without it
    from bot.caps.service import Caps  # noqa: PLC0415 - see above
    from bot.caps.values import OperatorLimits  # noqa: PLC0415 - see above
    from bot.clock import SystemClock  # noqa: PLC0415 - see above
    from db.engine import Database  # noqa: PLC0415 - see above

    async def act() -> list[str]:
        clock, database = SystemClock(), Database(settings.database_url)
        limits = OperatorLimits(
            member_daily_credits=settings.member_daily_credits,
            server_monthly_credits=settings.server_monthly_credits,
        )
        try:
            caps = Caps(database, clock, limits)
            lines: list[str] = await options.act(
                caps, Operator(database, clock, caps.policies, limits), options
            )
            return lines
        finally:
            await database.close()

    return asyncio.run(act())


# --- arguments ---


def _amount(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        return _number(text, least, AMOUNT_MAX, "an amount is a whole number of credits")

    return parse


def _days(text: str) -> int:
    return _number(text, 1, DAYS_MAX, "days are a whole number")


def _number(text: str, least: int, most: int, what: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 9 and least <= int(text) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(f"{what} from {least} to {most}")


def _reason(text: str) -> str:
    reason = " ".join(text.split())
    if not reason or len(reason) > REASON_LENGTH_MAX:
        raise argparse.ArgumentTypeError(f"a reason is a text of at most {REASON_LENGTH_MAX} characters")
    if not reason.translate(_JOINERS).isprintable():
        raise argparse.ArgumentTypeError("a reason has no characters that cannot be seen")
    return reason


# --- acts ---


async def _grant(caps: Caps, operator: Operator, options: argparse.Namespace) -> list[str]:
    from bot.clock import SystemClock  # noqa: PLC0415 - see run

    await _get_server(operator, options.server)
    expires_at = SystemClock().now() + timedelta(days=options.days) if options.days else None
    until = f", until {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else ""
    terms = {"reason": options.reason, "expires_at": expires_at}
    if options.member is not None:
        made = await caps.grants.grant(options.server, 0, options.member, options.amount, **terms)
        return [f"Granted {options.amount} credits to member {options.member}{until} (grant {made.id})."]
    offer = await caps.grants.grant_role(options.server, 0, options.role, options.amount, **terms)
    return [
        f"Offered {options.amount} credits to everybody with role {options.role}{until} (offer {offer.id}).",
        f"Each takes them with their next request, until {offer.open_until:%Y-%m-%d}.",
    ]


async def _reset(_caps: Caps, operator: Operator, options: argparse.Namespace) -> list[str]:
    await _get_server(operator, options.server)
    forgiven = await operator.reset(options.server, options.member, options.reason)
    if not forgiven:
        return [f"Member {options.member} has used nothing that a cap counts. Nothing was changed."]
    what = ", ".join(f"{amount} of this {period}" for period, amount in forgiven.items())
    return [
        f"Member {options.member} starts over: {what} no longer count.",
        "This cannot be taken back, since the ledger is only added to.",
        "To bound what they may still use, give them a cap of their own in /studio member.",
    ]


async def _stop(_caps: Caps, operator: Operator, options: argparse.Namespace) -> list[str]:
    if not await operator.stop(options.reason):
        return ["Everything is stopped already. To take jobs again: kvid-bot credits resume"]
    return [
        "Stopped: no server and no member gets a new picture, beginning with the next request.",
        "What is on its way is finished and charged as usual. To take jobs again: kvid-bot credits resume",
    ]


async def _resume(_caps: Caps, operator: Operator, options: argparse.Namespace) -> list[str]:
    if not await operator.resume(options.reason):
        return ["Nothing was stopped."]
    return ["Jobs are taken again, beginning with the next request."]


async def _budget(_caps: Caps, operator: Operator, options: argparse.Namespace) -> list[str]:
    await _get_server(operator, options.server)
    await operator.set_budget(options.server, None if options.default else options.amount, options.reason)
    server = await _get_server(operator, options.server)
    return [f"Server {options.server} may use {_limit(server.budget_credits)} per month."]


# --- showing ---


async def _show(_caps: Caps, operator: Operator, options: argparse.Namespace) -> list[str]:
    if options.member is not None:
        member = await operator.show_member(options.server, options.member)
        if member is None:
            raise _unknown(options.server)
        return _render_member(member, in_server=options.server is not None)
    if options.server is not None:
        return _render_server(await _get_server(operator, options.server))
    found = await operator.show()
    excess = found.excess
    stop = found.stop
    return [
        *_table(
            ("servers", str(found.servers)),
            ("members", f"{found.members.count} have asked for pictures"),
            ("ever", _render_used(found.members.used_credits, found.returned_credits)),
            (
                "held",
                f"{found.members.held_credits} credits for {found.members.held_jobs} job(s) on their way",
            ),
            ("granted", f"{found.granted_left_credits} credits that may still be spent"),
            (
                "your share",
                f"{excess.credits} credits in {excess.jobs} job(s): reported by kvid, charged to nobody",
            ),
            ("stopped", f"since {stop.since:%Y-%m-%d %H:%M} UTC: {stop.reason}" if stop else "no"),
        )
    ]


def _render_server(server: ServerOverview) -> list[str]:
    month, zone = server.month, server.policy.time_zone
    rows = [
        (
            "this month",
            f"{month.used_credits} used, {month.held_credits} held, of {_limit(server.budget_credits)} ({zone})",
        ),
        (
            "ever",
            _render_used(server.members.used_credits + server.returned_credits, server.returned_credits),
        ),
        ("members", f"{server.members.count} have asked for pictures"),
        ("granted", f"{server.granted_left_credits} credits that may still be spent"),
        ("your share", f"{server.excess.credits} credits in {server.excess.jobs} job(s)"),
        ("member cap", _render_cap(server.policy.member_cap)),
    ]
    if server.left_at is not None:
        rows.append(("left", f"the bot is not there since {server.left_at:%Y-%m-%d %H:%M} UTC"))
    return _table(*rows)


def _render_member(member: MemberOverview, *, in_server: bool) -> list[str]:
    # A server's counters take back what its moderators give back; those over all servers do not.
    what, back = ("paid", member.returned_credits) if in_server else ("used", 0)
    periods = dict(member.periods)
    ever = periods.pop(BalancePeriod.EVER)
    rows = [(f"this {period}", _render_balance(balance, what)) for period, balance in periods.items()]
    rows.append(("ever", _render_used(ever.used_credits + back, member.returned_credits)))
    if in_server:
        rows.append(("cap", f"{_render_cap(member.cap)}, before their roles"))
        membership = member.membership
        if membership is not None and membership.blocked_until is not None:
            until = membership.blocked_until
            rows.append(
                ("blocked", "for good" if until.year == 9999 else f"until {until:%Y-%m-%d %H:%M} UTC")
            )
        for grant in member.grants:
            ends = f"until {grant.expires_at:%Y-%m-%d %H:%M} UTC" if grant.expires_at else "for good"
            rows.append(
                ("granted", f"{grant.left_credits} of {grant.amount_credits} left, {ends}: {grant.reason}")
            )
    return _table(*rows)


def _render_balance(balance: Balance, what: str) -> str:
    exempt = f", {balance.exempt_credits} of them not counted by a cap" if balance.exempt_credits else ""
    return f"{balance.used_credits} {what}, {balance.held_credits} held{exempt}"


def _render_used(used_credits: int, returned_credits: int) -> str:
    paid = used_credits - returned_credits
    return f"{used_credits} used, {returned_credits} given back, so {paid} paid by members"


def _render_cap(cap: Cap | None) -> str:
    return UNLIMITED if cap is None or cap.credits is None else f"{cap.credits} credits a {cap.period}"


def _limit(credits_: int | None) -> str:
    return UNLIMITED if credits_ is None else f"{credits_} credits"


def _table(*rows: tuple[str, str]) -> list[str]:
    return [f"{name:<12}{value}" for name, value in rows]


async def _get_server(operator: Operator, guild_id: int) -> ServerOverview:
    server = await operator.show_server(guild_id)
    if server is None:
        raise _unknown(guild_id)
    return server


def _unknown(guild_id: int) -> AppError:
    return AppError("operator.no_server", server=guild_id)
