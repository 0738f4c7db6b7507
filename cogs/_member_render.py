"""The words of a member's card, as moderators see it (pure).

Knows Discord's markdown, not its objects; `cogs._member_views` lays the parts out.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from bot.caps.values import Cap, Rule
from cogs._render import MARKS, credits_text, escape, number
from db.enums import AuditAction, BalancePeriod, JobState
from db.values import FOREVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.caps.histories import MemberHistory, PastPicture
    from cogs._render import Text
    from db.values import AuditEntry, CreditGrant, Job

GRANTS_SHOWN_MAX, OFFERS_SHOWN_MAX = 4, 3
PROMPT_SHOWN_MAX, REASON_SHOWN_MAX = 40, 80

PERIODS = {
    BalancePeriod.DAY: "member.per_day",
    BalancePeriod.WEEK: "member.per_week",
    BalancePeriod.MONTH: "member.per_month",
    BalancePeriod.EVER: "member.per_ever",
}
RULES = {
    Rule.STOPPED: "member.rule_stopped",
    Rule.BLOCKED: "member.rule_blocked",
    Rule.BLOCKED_ROLE: "member.rule_blocked_role",
    Rule.CHANNEL: "member.rule_channel",
    Rule.CHANNEL_CAP: "member.rule_channel_cap",
    Rule.TENURE: "member.rule_tenure",
    Rule.QUEUE: "member.rule_queue",
    Rule.COOLDOWN: "member.rule_cooldown",
    Rule.WORDS: "member.rule_words",
    Rule.MEMBER_DAILY: "member.rule_member_daily",
    Rule.SERVER_MONTHLY: "member.rule_server_monthly",
    Rule.CAP: "member.rule_cap",
    Rule.GRANTED: "member.rule_granted",
}
ACTS = {
    AuditAction.MEMBER_CAP: "member.act_cap",
    AuditAction.BLOCK: "member.act_block",
    AuditAction.UNBLOCK: "member.act_unblock",
    AuditAction.PASS: "member.act_pass",
    AuditAction.GRANT: "member.act_grant",
    AuditAction.CORRECT: "member.act_correct",
    AuditAction.GIVE: "member.act_give",
    AuditAction.RESET: "member.act_reset",
    AuditAction.REFUND: "member.act_refund",
    AuditAction.HIDE: "member.act_hide",
}


def allowance_text(text: Text, history: MemberHistory, *, roles_known: bool) -> str:
    """What they may spend, why, what they used, and what moderators decided about them."""
    lines = [text("member.title", who=_who(history.user_id)), *_state_lines(text, history)]
    lines += [_allowance(text, history), "-# " + _origin(text, history)]
    if not roles_known:
        lines.append("-# " + text("member.roles_unknown"))
    usage = history.usage
    lines.append(
        text(
            "member.used",
            today=number(usage.today_credits),
            week=number(usage.week_credits or 0),
            month=number(usage.month_credits),
            held=number(usage.held_credits),
        )
    )
    lines += _grant_lines(text, history)
    return "\n".join(lines)


def pictures_text(text: Text, history: MemberHistory) -> str:
    """Their last pictures, each with what became of it."""
    if not history.pictures:
        return text("member.no_pictures")
    return "\n".join([text("member.pictures"), *(_picture_line(text, one) for one in history.pictures)])


def acts_text(text: Text, history: MemberHistory) -> str:
    """What was done about them lately, newest first; empty when nothing was."""
    if not history.acts:
        return ""
    return "\n".join([text("member.acts"), *(_act_line(text, entry) for entry in history.acts)])


def outcome_text(text: Text, picture: PastPicture) -> str:
    """What became of a request, in a few words."""
    job = picture.job
    match job.state:
        case JobState.DELIVERED:
            parts = [credits_text(text, job.used_credits or 0)]
            parts += [text("member.refunded")] if picture.refunded else []
            parts += [text("member.hidden")] if job.hidden_at is not None else []
            return ", ".join(parts)
        case JobState.REFUSED:
            return text("member.refused", why=_refusal_text(text, job))
        case JobState.CANCELLED:
            return text("member.cancelled")
        case _ if job.finished_at is None:
            return text("member.held", credits=credits_text(text, job.reserved_credits))
        case _:
            return text("member.failed")


def cap_text(text: Text, cap: Cap) -> str:
    """`50 credits a week`, or `as much as they like`."""
    if cap.credits is None:
        return text("member.unlimited_short")
    return text(PERIODS[cap.period], credits=credits_text(text, cap.credits))


def until_text(text: Text, until: datetime | None) -> str:
    """How long a block lasts: `until <date>`, or `for good`."""
    if until is None or until == FOREVER:
        return text("member.for_good")
    return text("member.until", until=_unix(until))


def expiry_text(text: Text, expires_at: datetime | None) -> str:
    """How long granted credits last: `until <date>`, or `without an expiry`."""
    if expires_at is None:
        return text("member.no_expiry")
    return text("member.until", until=_unix(expires_at))


# --- parts ---


def _state_lines(text: Text, history: MemberHistory) -> list[str]:
    member = history.membership
    lines = []
    if member is not None and history.blocked_until is not None:
        lines.append(text("member.blocked", until=until_text(text, member.blocked_until)))
        if member.block_reason:
            lines.append("-# " + text("member.reason", reason=escape(member.block_reason, REASON_SHOWN_MAX)))
    if member is not None and member.pass_until is not None and history.has_pass:
        lines.append(text("member.pass", until=_unix(member.pass_until)))
    return lines


def _allowance(text: Text, history: MemberHistory) -> str:
    allowance = history.allowance
    cap = allowance.cap
    if cap is None:
        return text("member.no_cap")
    if cap.credits is None:
        return text("member.unlimited")
    shown = text("member.left", left=number(allowance.left_credits or 0), cap=cap_text(text, cap))
    if allowance.resets_at is None:
        return shown
    return f"{shown} · {text('member.resets', resets=_unix(allowance.resets_at))}"


def _origin(text: Text, history: MemberHistory) -> str:
    allowance = history.allowance
    if allowance.own:
        return text("member.cap_own")
    if allowance.role_id is not None:
        return text("member.cap_role", role=allowance.role_id)
    return text("member.cap_default" if allowance.cap is not None else "member.cap_none")


def _grant_lines(text: Text, history: MemberHistory) -> list[str]:
    lines = [text("member.granted", granted=number(history.granted_credits))]
    lines += [_grant_line(text, grant) for grant in history.grants[:GRANTS_SHOWN_MAX]]
    more = len(history.grants) - GRANTS_SHOWN_MAX
    if more > 0:
        lines.append("-# " + text("member.grants_more_one" if more == 1 else "member.grants_more", more=more))
    lines += [
        "-# " + text("member.offer", amount=credits_text(text, offer.amount_credits), role=offer.role_id)
        for offer in history.offers[:OFFERS_SHOWN_MAX]
    ]
    return lines


def _grant_line(text: Text, grant: CreditGrant) -> str:
    return "-# " + text(
        "member.grant", left=credits_text(text, grant.left_credits), until=expiry_text(text, grant.expires_at)
    )


def _picture_line(text: Text, picture: PastPicture) -> str:
    job = picture.job
    shown = text("member.private") if job.private else escape(job.prompt, PROMPT_SHOWN_MAX)
    return text(
        "member.line",
        mark=MARKS[job.state],
        when=f"<t:{_unix(job.created_at)}:R>",
        outcome=outcome_text(text, picture),
        prompt=shown,
    )


def _refusal_text(text: Text, job: Job) -> str:
    key = RULES.get(Rule(job.failure)) if job.failure in set(Rule) else None
    if key is None:
        return text("member.rule_kvid")
    word = dict(json.loads(job.failure_detail or "{}")).get("word")
    shown = text(key)
    return f"{shown} “{escape(str(word), 30)}”" if word else shown


def _act_line(text: Text, entry: AuditEntry) -> str:
    what = text(ACTS[entry.action], detail=_act_detail(text, entry)) if entry.action in ACTS else entry.action
    line = text(
        "member.act",
        when=f"<t:{_unix(entry.at)}:R>",
        who=_who(entry.actor_id) if entry.actor_id else text("member.operator"),
        what=what,
    )
    return f"{line} · {escape(entry.reason, REASON_SHOWN_MAX)}" if entry.reason else line


def _act_detail(text: Text, entry: AuditEntry) -> str:
    """The number of an act, as far as the entry has one; one that an older version wrote may not."""
    before, after = entry.before or {}, entry.after or {}
    match entry.action:
        case AuditAction.BLOCK:
            until = after.get("blocked_until")
            return until_text(text, datetime.fromisoformat(str(until)) if until else None)
        case AuditAction.GRANT | AuditAction.GIVE:
            return _credits(text, after.get("amount_credits"))
        case AuditAction.CORRECT:
            return _credits(text, after.get("amount_credits", before.get("left_credits")))
        case AuditAction.RESET:
            return _credits(text, before.get("used_credits"))
        case AuditAction.REFUND:
            return _credits(text, before.get("charged_credits"))
        case AuditAction.MEMBER_CAP:
            return _cap(text, after)
        case _:
            return ""


def _cap(text: Text, after: Mapping[str, object]) -> str:
    amount, period = after.get("cap"), after.get("period")
    if amount is None or period is None:
        return text("member.no_own_cap")
    return cap_text(
        text, Cap(credits=amount if isinstance(amount, int) else None, period=BalancePeriod(str(period)))
    )


def _credits(text: Text, amount: object) -> str:
    return credits_text(text, amount) if isinstance(amount, int) else ""


def _who(user_id: int) -> str:
    return f"<@{user_id}>"


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())
