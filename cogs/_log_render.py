"""An entry of the audit log as its log channel shows it: who, what, before and after, why (pure)."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING

from bot.caps.policies import dump_policy, parse_policy
from bot.caps.values import Cap, Policy
from cogs._panel_format import cap_text, describe_change, role_text
from cogs._render import credits_text, escape
from db.enums import AuditAction, BalancePeriod
from db.values import FOREVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cogs._panel import Names
    from cogs._render import Text
    from db.values import AuditEntry

LENGTH_MAX = 3_500
VALUE_SHOWN_MAX = 200
REASON_SHOWN_MAX = 400
OPERATOR_ONLY = "operator_budget_credits"
SETTINGS = frozenset(field.name for field in fields(Policy)) - {OPERATOR_ONLY}
ACTS = {
    AuditAction.SETTING: "log.setting",
    AuditAction.AUTOMOD: "log.automod",
    AuditAction.MEMBER_CAP: "log.member_cap",
    AuditAction.BLOCK: "log.block",
    AuditAction.UNBLOCK: "log.unblock",
    AuditAction.PASS: "log.pass",
    AuditAction.GRANT: "log.grant",
    AuditAction.ROLE_GRANT: "log.role_grant",
    AuditAction.CORRECT: "log.correct",
    AuditAction.GIVE: "log.give",
    AuditAction.RESET: "log.reset",
    AuditAction.REFUND: "log.refund",
    AuditAction.HIDE: "log.hide",
    AuditAction.EXPORT: "log.export",
}
# An entry of an export says which table in its subject.
EXPORTS = {"ledger": "log.export_ledger", "audit_log": "log.export_audit"}
NAMES = {
    OPERATOR_ONLY: "logname.operator_budget",
    "cap": "logname.cap",
    "blocked_until": "logname.blocked",
    "pass_until": "logname.pass",
    "amount_credits": "logname.amount",
    "granted_credits": "logname.granted",
    "left_credits": "logname.left",
    "used_credits": "logname.used",
    "used_day": "logname.used_day",
    "used_week": "logname.used_week",
    "used_month": "logname.used_month",
    "charged_credits": "logname.charged",
    "expires_at": "logname.expires",
    "open_until": "logname.open",
    "hidden_at": "logname.hidden",
    "first_day": "logname.first",
    "last_day": "logname.last",
    "rows": "logname.rows",
    "left_out": "logname.left_out",
}


def render_entry(text: Text, names: Names, entry: AuditEntry, mark: str) -> str:
    """The words of a post; `mark` is its last line, by which it is found again."""
    lines = [text("log.act", who=_actor(text, entry), what=_act(text, names, entry))]
    lines += [f"- {line}" for line in _changes(text, names, entry) if line]
    if entry.reason:
        lines.append(text("log.reason", reason=escape(entry.reason, REASON_SHOWN_MAX)))
    shown = "\n".join(lines)
    if len(shown) > LENGTH_MAX:
        shown = f"{shown[:LENGTH_MAX]} …"
    return f"{shown}\n{mark}"


def _actor(text: Text, entry: AuditEntry) -> str:
    if entry.actor_id:
        return f"<@{entry.actor_id}>"
    return text("log.self" if entry.action is AuditAction.AUTOMOD else "log.operator")


def _act(text: Text, names: Names, entry: AuditEntry) -> str:
    if entry.action is AuditAction.EXPORT:
        return text(EXPORTS.get(entry.subject, ACTS[entry.action]))
    if entry.target_id is None:
        return text(ACTS[entry.action], target=text("log.nobody"))
    if entry.action is AuditAction.ROLE_GRANT:
        key = "log.role_grant_closed" if entry.before else ACTS[entry.action]
        return text(key, target=role_text(text, names, entry.target_id))
    return text(ACTS[entry.action], target=f"<@{entry.target_id}>")


def _changes(text: Text, names: Names, entry: AuditEntry) -> list[str]:
    """One line for each value that is different."""
    before, after = dict(entry.before or {}), dict(entry.after or {})
    lines: list[str] = []
    if entry.action in {AuditAction.SETTING, AuditAction.AUTOMOD}:
        unset = dump_policy(Policy())
        old, new = (
            parse_policy({**unset, **{name: one[name] for name in one if name in SETTINGS}})
            for one in (before, after)
        )
        # The panel's lines say that it worked; here they only say what.
        lines += [line.removeprefix("✅ ") for line in describe_change(text, names, old, new).split("\n")]
    if entry.action is AuditAction.MEMBER_CAP and "cap" in after:
        was, becomes = _member_cap(text, before), _member_cap(text, after)
        return [text("log.changed", name=text("logname.cap"), before=was, after=becomes)]
    for name in {**before, **after}:
        if name in SETTINGS or before.get(name) == after.get(name):
            continue
        shown, now = _name(text, name), _value(text, name, after.get(name))
        if name in before:
            lines.append(text("log.changed", name=shown, before=_value(text, name, before[name]), after=now))
        else:
            lines.append(text("log.given", name=shown, after=now))
    return lines


def _member_cap(text: Text, document: Mapping[str, object]) -> str:
    """A cap as `bot.caps.members.describe_cap` writes it down."""
    amount, period = document.get("cap"), document.get("period")
    if amount is None or period is None:
        return text("log.no_own_cap")
    credit = amount if isinstance(amount, int) else None
    return cap_text(text, Cap(credits=credit, period=BalancePeriod(str(period))))


def _name(text: Text, name: str) -> str:
    return text(NAMES[name]) if name in NAMES else escape(name, VALUE_SHOWN_MAX)


def _value(text: Text, name: str, value: object) -> str:
    if value is None:
        return text("panel.none")
    if isinstance(value, bool):
        return text("panel.on" if value else "panel.off")
    if isinstance(value, int):
        return (
            credits_text(text, value) if name.endswith("_credits") or name.startswith("used_") else str(value)
        )
    if isinstance(value, str) and name.endswith(("_at", "_until")):
        return _moment(text, value)
    return escape(str(value), VALUE_SHOWN_MAX)


def _moment(text: Text, iso: str) -> str:
    moment = datetime.fromisoformat(iso)
    return text("log.for_good") if moment >= FOREVER else f"<t:{int(moment.timestamp())}:f>"
