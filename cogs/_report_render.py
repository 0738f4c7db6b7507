"""The words of a server's report and of its exports (pure).

Knows Discord's markdown, not its objects; `cogs._studio_reports` lays the parts out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.caps.report_values import ExportKind, ReportPeriod
from cogs._render import credits_text, number
from cogs._usage_render import ALT_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.caps.report_values import ReportedDay, ServerReport
    from bot.caps.reports import Exported
    from cogs._render import Text

REFUSALS_SHOWN_MAX = 8

PERIODS = {
    ReportPeriod.TODAY: "report.today",
    ReportPeriod.DAYS_7: "report.week",
    ReportPeriod.DAYS_30: "report.thirty",
    ReportPeriod.THIS_MONTH: "report.month",
    ReportPeriod.LAST_MONTH: "report.month_before",
}
EXPORTS = {ExportKind.LEDGER: "export.ledger", ExportKind.AUDIT_LOG: "export.audit"}
_REASONS = {
    "stopped": "report.why_stopped",
    "blocked": "report.why_blocked",
    "blocked_role": "report.why_blocked_role",
    "channel": "report.why_channel",
    "channel_cap": "report.why_channel_cap",
    "tenure": "report.why_tenure",
    "queue": "report.why_queue",
    "cooldown": "report.why_cooldown",
    "words": "report.why_words",
    "member_daily": "report.why_member_daily",
    "server_monthly": "report.why_server_monthly",
    "cap": "report.why_cap",
    "granted": "report.why_granted",
    "prompt": "report.why_prompt",
    "parameters": "report.why_parameters",
    "safety": "report.why_safety",
    "closed": "report.why_closed",
}


def is_empty(report: ServerReport) -> bool:
    """Whether nothing at all happened in these days."""
    return not (report.total.asked or report.granted_credits or report.total.used_credits)


def heading_text(text: Text, report: ServerReport) -> str:
    """Which days these are."""
    first, last = report.span.first, report.span.last
    days = str(first) if first == last else f"{first} – {last}"
    return "\n".join(
        [
            text("report.title", period=text(PERIODS[report.period])),
            text("report.days", days=days, zone=report.time_zone),
        ]
    )


def summary_texts(text: Text, report: ServerReport) -> list[str]:
    """How it went, then what it cost and what is left."""
    if is_empty(report):
        return [text("report.empty"), *_budget_lines(text, report)]
    credits_line = text(
        "report.credits",
        used=number(report.total.used_credits),
        returned=number(report.returned_credits),
        paid=number(report.paid_credits),
        granted=number(report.granted_credits),
    )
    return ["\n".join(_total_lines(text, report)), "\n".join([credits_line, *_budget_lines(text, report)])]


def detail_texts(text: Text, report: ServerReport) -> list[str]:
    """Who and where most was used, and why requests were refused; what has nothing to tell is left out."""
    parts = [
        _top(text, "report.members", report.top_members, lambda owner_id: f"<@{owner_id}>"),
        _top(text, "report.channels", report.top_channels, lambda owner_id: f"<#{owner_id}>"),
        _refusals(text, report),
    ]
    return [part for part in parts if part]


def chart_alt(text: Text, report: ServerReport) -> str:
    """The chart in words, for those who do not see it."""
    total = report.total
    best = max(report.days, key=lambda day: (day.asked, day.day))
    return text(
        "report.alt",
        first=report.span.first,
        last=report.span.last,
        delivered=number(total.delivered),
        failed=number(total.failed),
        refused=number(total.refused),
        used=credits_text(text, total.used_credits),
        best=best.day,
        most=number(best.asked),
    )[:ALT_MAX]


def has_chart(report: ServerReport) -> bool:
    """One bar or none tells nothing that the words do not."""
    drawn = report.total.delivered + report.total.failed + report.total.refused
    return len(report.days) > 1 and drawn > 0


def success_percent(total: ReportedDay) -> int | None:
    """Of those that came to an end at kvid, how many were delivered; None when there were none.

    Shape: rounded down, so that 100 means all, and up to 1, so that 0 means none.
    """
    tried = total.delivered + total.failed
    if not tried:
        return None
    return max(total.delivered * 100 // tried, 1 if total.delivered else 0)


def export_text(text: Text, exported: Exported) -> str:
    """What is in the file, and what is not."""
    span = exported.span
    lines = [
        text("export.title", what=text(EXPORTS[exported.kind])),
        text("report.days_plain", first=span.first, last=span.last),
    ]
    if not exported.rows and not exported.left_out:
        return "\n".join([*lines, text("export.empty")])
    lines.append(text("export.rows", rows=number(exported.rows)))
    if exported.kind is ExportKind.LEDGER:
        lines.append(text("export.no_prompts"))
    if exported.left_out:
        lines.append(text("export.left_out", left_out=number(exported.left_out)))
    lines.append(text("export.reading"))
    return "\n".join(lines)


def export_name(exported: Exported) -> str:
    """The file's name: what it is and its days."""
    what = exported.kind.value.replace("_", "-")
    return f"{what}-{exported.span.first}-{exported.span.last}.csv"


# --- parts ---


def _total_lines(text: Text, report: ServerReport) -> list[str]:
    total, percent = report.total, success_percent(report.total)
    lines = []
    if percent is not None:
        lines.append(
            text(
                "report.success",
                percent=percent,
                delivered=number(total.delivered),
                tried=number(total.delivered + total.failed),
            )
        )
        lines.append(text("report.success_how"))
    lines.append(text("report.asked", asked=number(total.asked)))
    counts = [
        ("report.delivered", total.delivered),
        ("report.failed", total.failed),
        ("report.refused", total.refused),
        ("report.cancelled", total.cancelled),
        ("report.open", total.open),
    ]
    lines.append(" · ".join(text(key, count=number(count)) for key, count in counts if count))
    if total.is_cut:
        lines.append(text("report.cut"))
    return [line for line in lines if line]


def _budget_lines(text: Text, report: ServerReport) -> list[str]:
    budget = report.budget
    if budget is None:
        return []
    left, limit = number(budget.left_credits), number(budget.limit_credits)
    return [text("report.budget", left=left, limit=limit, resets=int(budget.resets_at.timestamp()))]


def _top(text: Text, title: str, rows: Sequence[tuple[int, int]], render: Callable[[int], str]) -> str:
    if not rows:
        return ""
    shown = (
        f"{place}. {render(owner_id)} · {credits_text(text, amount)}"
        for place, (owner_id, amount) in enumerate(rows, 1)
    )
    return "\n".join([text(title), *shown])


def _refusals(text: Text, report: ServerReport) -> str:
    """By rule, most first; what has no words of its own, and what is beyond the list, comes together last."""
    named = [(_REASONS[name], count) for name, count in report.refusals.items() if name in _REASONS]
    shown = sorted(named, key=lambda pair: -pair[1])[:REFUSALS_SHOWN_MAX]
    others = sum(report.refusals.values()) - sum(count for _, count in shown)
    lines = [text("report.why", count=number(count), why=text(key)) for key, count in shown]
    if others:
        lines.append(text("report.why", count=number(others), why=text("report.why_other")))
    return "\n".join([text("report.refusals"), *lines]) if lines else ""
