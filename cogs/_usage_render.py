"""The words of the /usage card (pure): what is left, what is on top of it, what was used, the last pictures.

Knows Discord's markdown, not its objects; `cogs.usage` lays the parts out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.charts.values import describe_usage
from cogs._render import MARKS, credits_text, escape, number
from db.enums import BalancePeriod, JobState

if TYPE_CHECKING:
    from datetime import datetime

    from bot.caps.report_values import UsageReport
    from bot.caps.values import Allowance
    from cogs._render import Text
    from db.values import CreditGrant, Job

ALT_MAX = 1024
PROMPT_LINE_MAX = 32

_LEFT = {
    BalancePeriod.DAY: "usage.left_day",
    BalancePeriod.WEEK: "usage.left_week",
    BalancePeriod.MONTH: "usage.left_month",
    BalancePeriod.EVER: "usage.left_ever",
}
_BLOCKS = {
    "blocked": "usage.blocked",
    "blocked_for_good": "usage.blocked_for_good",
    "blocked_role": "usage.blocked_role",
}


def usage_text(text: Text, report: UsageReport) -> str:
    """What counts now: a block, the allowance and its origin, granted and held credits, what was used."""
    lines = [text("usage.title")]
    if report.blocked is not None:
        lines.append(text(_BLOCKS[report.blocked.key], **report.blocked.params))
    lines += _allowance_lines(text, report)
    if report.guild_id is not None:
        lines += _daily_lines(text, report)
        lines += _budget_lines(text, report)
    if report.grants:
        lines.append(_grants_line(text, report.grants))
    if report.usage.held_credits:
        lines.append(text("usage.held", held=number(report.usage.held_credits)))
    lines.append(_used_line(text, report))
    return "\n".join(lines)


def recent_text(text: Text, report: UsageReport) -> str:
    """The last pictures, or how to get a first one."""
    if not report.recent:
        return text("usage.none")
    return "\n".join(
        [
            text("usage.recent"),
            *(_recent_line(text, job, refunded=job.id in report.refunded) for job in report.recent),
        ]
    )


def chart_caption(text: Text, report: UsageReport) -> str:
    caption = text("usage.chart" if report.guild_id is not None else "usage.chart_everywhere")
    limit = chart_limit(report)
    return caption if limit is None else text("usage.chart_limit", caption=caption, limit=number(limit))


def chart_alt(text: Text, report: UsageReport) -> str:
    """The chart in words, for those who do not see it."""
    facts = describe_usage(report.days, today=report.today)
    if facts.best_day is None:
        return text("usage.alt_empty", first=facts.first_day, last=facts.last_day)[:ALT_MAX]
    return text(
        "usage.alt",
        first=facts.first_day,
        last=facts.last_day,
        total=credits_text(text, facts.total_credits),
        days=facts.days_used,
        best=facts.best_day,
        most=number(facts.best_credits),
        today=number(facts.today_credits),
    )[:ALT_MAX]


def chart_limit(report: UsageReport) -> int | None:
    """The limit that a day in the chart is held against, if it is one for a day."""
    cap = report.allowance.cap
    return cap.credits if cap is not None and cap.period is BalancePeriod.DAY else None


def has_chart(report: UsageReport) -> bool:
    """A chart of nothing tells nothing."""
    return any(amount for _, amount in report.days)


# --- parts ---


def _allowance_lines(text: Text, report: UsageReport) -> list[str]:
    cap = report.allowance.cap
    if cap is None:
        return [text("usage.no_cap" if report.guild_id is not None else "usage.no_limit")]
    if cap.credits is None:
        return [text("usage.unlimited"), _origin(text, report)]
    return [_left(text, report.allowance), _origin(text, report)]


def _left(text: Text, allowance: Allowance) -> str:
    cap = allowance.cap
    if cap is None or cap.credits is None:
        return ""
    line = text(_LEFT[cap.period], left=number(allowance.left_credits or 0), limit=number(cap.credits))
    if allowance.resets_at is None:
        return line
    return text("usage.resets", left=line, resets=_unix(allowance.resets_at))


def _origin(text: Text, report: UsageReport) -> str:
    if report.guild_id is None:
        return text("usage.cap_everywhere")
    if report.allowance.own:
        return text("usage.cap_own")
    if report.allowance.role_id is not None:
        return text("usage.cap_role", role=report.allowance.role_id)
    return text("usage.cap_default")


def _daily_lines(text: Text, report: UsageReport) -> list[str]:
    """The operator's limit, where it leaves less than the server does."""
    daily, own = report.daily, _own_credits(report)
    if daily.cap is None or daily.cap.credits is None or daily.left_credits is None:
        return []
    if own is not None and own <= daily.left_credits:
        return []
    line = text("usage.daily", left=number(daily.left_credits), limit=number(daily.cap.credits))
    return [
        line if daily.resets_at is None else text("usage.resets", left=line, resets=_unix(daily.resets_at))
    ]


def _budget_lines(text: Text, report: UsageReport) -> list[str]:
    """The server's budget, where it leaves less than is the member's own."""
    budget, own = report.budget, _own_credits(report)
    if budget is None or (own is not None and own <= budget.left_credits):
        return []
    line = text("usage.budget", left=number(budget.left_credits), limit=number(budget.limit_credits))
    return [text("usage.resets", left=line, resets=_unix(budget.resets_at))]


def _own_credits(report: UsageReport) -> int | None:
    """What is left of the allowance, and granted; None: no cap bounds it."""
    left = report.allowance.left_credits
    return None if left is None else left + sum(grant.left_credits for grant in report.grants)


def _grants_line(text: Text, grants: tuple[CreditGrant, ...]) -> str:
    """`grants` may be spent, soonest to expire first."""
    total = number(sum(grant.left_credits for grant in grants))
    ends_at = grants[0].expires_at
    if ends_at is None:
        return text("usage.granted", granted=total)
    ending = sum(grant.left_credits for grant in grants if grant.expires_at == ends_at)
    return text("usage.granted_until", granted=total, ending=number(ending), ends=_unix(ends_at))


def _used_line(text: Text, report: UsageReport) -> str:
    usage = report.usage
    today, month = number(usage.today_credits), number(usage.month_credits)
    if usage.week_credits is None:
        return text("usage.used_everywhere", today=today, month=month)
    return text("usage.used", today=today, week=number(usage.week_credits), month=month)


def _recent_line(text: Text, job: Job, *, refunded: bool) -> str:
    if job.state is JobState.DELIVERED:
        parts = [credits_text(text, job.used_credits or 0)]
        parts += [text("usage.given_back")] if refunded else []
        parts += [text("usage.hidden")] if job.hidden_at is not None else []
        shown = ", ".join(parts)
    elif job.finished_at is None:
        shown = text("usage.held_short", credits=credits_text(text, job.reserved_credits))
    else:
        shown = text("usage.free")
    return text(
        "usage.line",
        mark=MARKS[job.state],
        when=f"<t:{_unix(job.created_at)}:R>",
        credits=shown,
        prompt=escape(job.prompt, PROMPT_LINE_MAX),
    )


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())
