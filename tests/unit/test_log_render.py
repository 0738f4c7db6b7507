"""An entry of the audit log in words: every act, before and after, nothing that pings or formats by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bot.caps.members import describe_cap
from bot.caps.policies import dump_policy
from bot.caps.values import Cap, CapOf, Policy
from bot.i18n import Catalogue
from bot.log_channel import build_mark, build_nonce
from bot.safety.words import WordAction, WordList
from cogs._log_render import ACTS, LENGTH_MAX, NAMES, render_entry
from cogs._panel import Names
from db.enums import AuditAction, BalancePeriod
from db.values import FOREVER, AuditEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MEMBER, ROLE = 222, 333
CATALOGUE = Catalogue.load()
MARK = "-# #7 · <t:1795348800:f>"


def text(key: str, /, **params: object) -> str:
    return CATALOGUE.text("en-US", key, **params)


def entry(
    action: AuditAction,
    *,
    actor_id: int = 111,
    target_id: int | None = MEMBER,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> AuditEntry:
    return AuditEntry(
        id=7,
        guild_id=1,
        at=AT,
        actor_id=actor_id,
        action=action,
        subject="test",
        target_id=target_id,
        before=before,
        after=after,
        reason=reason,
    )


def render(one: AuditEntry) -> list[str]:
    return render_entry(text, Names(), one, build_mark(one)).split("\n")


def change(before: Policy, after: Policy, *names: str) -> AuditEntry:
    """An entry as a change of settings leaves it."""
    old, new = dump_policy(before), dump_policy(after)
    return entry(
        AuditAction.SETTING,
        target_id=None,
        before={name: old[name] for name in names},
        after={name: new[name] for name in names},
    )


@pytest.mark.parametrize("action", list(AuditAction))
def test_every_act_has_words_with_who_and_ends_with_its_mark(action: AuditAction) -> None:
    first, last = render(entry(action))
    assert first.startswith("<@111> ")
    assert last == MARK
    if action not in {AuditAction.SETTING, AuditAction.AUTOMOD, AuditAction.EXPORT}:
        assert str(MEMBER) in first
    assert action in ACTS


@pytest.mark.parametrize(
    ("before", "after", "name", "line"),
    [
        (
            Policy(),
            Policy(member_cap=Cap(credits=30)),
            "member_cap",
            "Default cap: no cap → **30 credits a day**",
        ),
        (Policy(cooldown_s=60), Policy(), "cooldown_s", "Pause between pictures: 1 minute → **none**"),
        (Policy(), Policy(gifts_allowed=True), "gifts_allowed", "Gifts between members: off → **on**"),
        (
            Policy(),
            Policy(operator_budget_credits=90),
            "operator_budget_credits",
            "a month: none → **90 credits**",
        ),
        (Policy(), Policy(log_channel_id=5), "log_channel_id", "Log channel: none → **<#5>**"),
        (Policy(), Policy(role_caps=(CapOf(id=ROLE, cap=Cap(credits=None)),)), "role_caps", "<@&333>"),
        (
            Policy(),
            Policy(word_lists=(WordList(name="bad*ones", action=WordAction.DROP, words=("x",)),)),
            "word_lists",
            r"bad\*ones",
        ),
        (Policy(), Policy(automod_words=tuple(f"w{n}" for n in range(400))), "automod_words", "400 added"),
    ],
)
def test_a_setting_is_told_before_and_after(before: Policy, after: Policy, name: str, line: str) -> None:
    lines = render(change(before, after, name))
    assert lines[0] == "<@111> changed the settings."
    assert len(lines) == 3
    assert lines[1].startswith("- ")
    assert line in lines[1]


def test_times_credits_and_reasons_are_shown_plainly() -> None:
    lines = render(
        entry(
            AuditAction.BLOCK,
            before={"blocked_until": None},
            after={"blocked_until": FOREVER.isoformat()},
            reason="**spam** @everyone\n# big",
        )
    )
    assert lines[0] == "<@111> blocked <@222>."
    assert lines[1] == "- Blocked until: none → **for good**"
    assert lines[2].startswith(r"Reason: \*\*spam\*\*")
    assert not any(line.startswith("# ") for line in lines)
    lines = render(
        entry(AuditAction.GRANT, actor_id=0, after={"amount_credits": 1, "expires_at": AT.isoformat()})
    )
    assert lines[:3] == [
        "My operator granted credits to <@222>.",
        "- Credits: **1 credit**",
        f"- Expires: **<t:{int(AT.timestamp())}:f>**",
    ]


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (Cap(credits=7, period=BalancePeriod.WEEK), None, "Cap: 7 credits a week → **no cap of their own**"),
        (None, Cap(credits=0), "Cap: no cap of their own → **0 credits a day**"),
        (Cap(credits=None), Cap(credits=1), "Cap: unlimited → **1 credit a day**"),
        (
            Cap(credits=9),
            Cap(credits=9, period=BalancePeriod.MONTH),
            "9 credits a day → **9 credits a month**",
        ),
    ],
)
def test_a_members_cap_is_told_in_one_line_and_words(
    before: Cap | None, after: Cap | None, line: str
) -> None:
    one = entry(AuditAction.MEMBER_CAP, before=describe_cap(before), after=describe_cap(after))
    _, told, _ = render(one)
    assert line in told


def test_words_of_a_members_cap_come_from_the_catalogue() -> None:
    """Nothing of the stored document is shown as it is."""

    def coded(key: str, /, **params: object) -> str:
        return " ".join([key, *(str(value) for value in params.values())])

    after = describe_cap(Cap(credits=None, period=BalancePeriod.WEEK))
    one = entry(AuditAction.MEMBER_CAP, before=describe_cap(None), after=after)
    told = render_entry(coded, Names(), one, MARK)
    assert {"unlimited", "week"}.isdisjoint(told.split())


@pytest.mark.parametrize(("table", "said"), [("ledger", "the ledger"), ("audit_log", "the audit log")])
def test_an_export_says_which_table_and_what_did_not_fit(table: str, said: str) -> None:
    noted = {"first_day": "2026-11-01", "last_day": "2026-11-22", "rows": 5, "left_out": 3}
    lines = render(replace(entry(AuditAction.EXPORT, target_id=None, after=noted), subject=table))
    assert lines[0] == f"<@111> exported {said}."
    assert "- Rows that did not fit: **3**" in lines
    assert set(noted) <= set(NAMES)


def test_what_the_bot_reads_by_itself_is_told_as_its_own_act() -> None:
    one = entry(
        AuditAction.AUTOMOD,
        actor_id=0,
        target_id=None,
        before={"automod_words": []},
        after={"automod_words": ["spoiler"]},
    )
    assert render(one)[0] == "I read the words of this server's AutoMod rules."


def test_an_offer_that_ended_is_no_new_offer() -> None:
    offered = entry(AuditAction.ROLE_GRANT, target_id=ROLE, after={"amount_credits": 5})
    ended = entry(
        AuditAction.ROLE_GRANT,
        target_id=ROLE,
        before={"open_until": AT.isoformat()},
        after={"open_until": FOREVER.isoformat()},
    )
    assert render(offered)[0] == "<@111> offered credits to everybody with <@&333>."
    assert render(ended)[0] == "<@111> ended the offer of credits to everybody with <@&333>."


def test_an_entry_of_another_version_is_told_as_far_as_it_is_known() -> None:
    lines = render(entry(AuditAction.CORRECT, before={"new_thing": "<@1>"}, after={"new_thing": None}))
    assert lines[1].startswith(r"- new\_thing: ")
    assert "new_thing" not in NAMES


def test_the_longest_entry_fits_into_a_message() -> None:
    lists = tuple(
        WordList(name=f"{number}" + "n" * 59, action=WordAction.DROP, words=("x",)) for number in range(10)
    )
    before = Policy(word_lists=lists, allowed_places=tuple(range(1, 101)))
    one = change(before, Policy(), "word_lists", "allowed_places")
    noted = {f"note_{number}": "x" * 300 for number in range(40)}
    one = entry(
        AuditAction.SETTING, before=one.before, after={**(one.after or {}), **noted}, reason="r" * 400
    )
    shown = render_entry(text, Names(), one, build_mark(one))
    assert LENGTH_MAX < len(shown) < 4_000
    assert shown.endswith(MARK)


def test_the_nonce_is_the_entrys_own_and_short_enough_for_discord() -> None:
    one = entry(AuditAction.HIDE)
    assert build_nonce(one) == "log-7"
    assert len(f"log-{2**63 - 1}") <= 25
