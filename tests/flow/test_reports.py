"""/studio report and /studio export through the real process, as a moderator and as somebody who is none."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from bot.caps.report_values import ReportPeriod
from bot.caps.values import Cap
from db.enums import AuditAction
from tests.flow.acts import change_policy, entries, make_picture
from tests.support.member import Member, files_of, pictures_of, selects_of, text_of
from tests.support.process import run_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.flow.conftest import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_YOURS = "Only members who may manage this server can do that"
MENU = "report:period"


async def open_report(moderator: Member, channel: str, **options: Any) -> dict[str, Any]:
    newest = await moderator.newest_id(channel)
    await moderator.slash(channel, "studio report", **options)
    return await moderator.wait_for_text(channel, "### Report", after=newest)


async def choose(moderator: Member, report: dict[str, Any], period: str, title: str) -> dict[str, Any]:
    """The same message, as soon as it shows the other days."""
    await moderator.choose(report, MENU, period)
    return await moderator.wait_for(
        report["channel_id"], lambda m: m["id"] == report["id"] and f"### Report · {title}" in text_of(m)
    )


async def export(moderator: Member, channel: str, what: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    newest = await moderator.newest_id(channel)
    await moderator.slash(channel, "studio export", what=what)
    message = await moderator.wait_for(channel, files_of, after=newest)
    [file] = files_of(message)
    data = (await moderator.download(file["url"])).decode("utf-8-sig")
    return message, list(csv.DictReader(io.StringIO(data)))


async def test_an_empty_server_gets_a_kind_report(shared: Stack) -> None:
    moderator = await shared.member(moderator=True)
    report = await open_report(moderator, moderator.channel("studio"))
    assert "Nobody asked for a picture in these days" in text_of(report)
    assert pictures_of(report) == []
    assert report["ephemeral_to"] == moderator.user_id


async def test_a_report_counts_what_happened_and_changes_its_days_in_place(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member()
    studio = moderator.channel("studio")
    await change_policy(
        shared,
        moderator,
        lambda policy: replace(policy, member_cap=Cap(credits=4), server_budget_credits=100),
    )
    for _ in range(2):
        await make_picture(member, studio, "aurora stage")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="one too many", width=512, height=512)
    await member.wait_for_text(studio, "you have 0 of 4 left today", after=newest)
    report = await open_report(moderator, studio)
    shown = text_of(report)
    assert "### Report · Last 7 days" in shown
    assert "**100 %** worked out: 2 of 2" in shown
    assert "✓ 2 delivered · ⊘ 1 refused" in shown
    assert "Credits: **4** used, **0** given back, so members paid **4** · **0** granted" in shown
    assert "Server budget: **96** of 100 left this month" in shown
    assert f"1. <@{member.user_id}> · 4 credits" in shown
    assert f"1. <#{studio}> · 4 credits" in shown
    assert "1 × too little left of the member's cap" in shown
    [chart] = pictures_of(report)
    assert "2 delivered, 0 failed, 1 refused" in chart["description"]
    picture = Image.open(io.BytesIO(await moderator.download(chart["url"])))
    assert (picture.format, picture.width) == ("PNG", 800)
    for period, title, charts in (
        (ReportPeriod.TODAY, "Today", 0),
        (ReportPeriod.DAYS_30, "Last 30 days", 1),
        (ReportPeriod.LAST_MONTH, "Last month", 0),
    ):
        report = await choose(moderator, report, period, title)
        assert len(pictures_of(report)) == charts
        [menu] = selects_of(report)
        assert [one["value"] for one in menu["options"] if one.get("default")] == [period]
    assert "Nobody asked" in text_of(report)
    named = await open_report(moderator, studio, period="today")
    assert "### Report · Today" in text_of(named)


async def test_the_ledger_and_the_audit_log_are_taken_home_and_that_is_written_down(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=1)
    studio = moderator.channel("studio")
    await make_picture(member, studio, "a secret of mine")
    message, lines = await export(moderator, studio, "ledger")
    assert message["ephemeral_to"] == moderator.user_id
    assert "### Ledger" in text_of(message)
    assert f"**{len(lines)}** rows" in text_of(message)
    own = [line for line in lines if line["user_id"] == f"'{member.user_id}"]
    assert [line["kind"] for line in own] == ["settle", "reserve"]
    assert [line["amount_credits"] for line in own] == ["2", "2"]
    assert "a secret of mine" not in str(lines)
    message, acts = await export(moderator, studio, "audit_log")
    assert files_of(message)[0]["name"].startswith("audit-log-")
    assert (acts[0]["action"], acts[0]["subject"]) == ("export", "ledger")
    exports = [one for one in await entries(shared, moderator) if one.action is AuditAction.EXPORT]
    assert [(one.subject, one.actor_id) for one in exports] == [
        ("ledger", int(moderator.user_id)),
        ("audit_log", int(moderator.user_id)),
    ]


FORGED: dict[str, Callable[[Member, dict[str, Any]], Awaitable[Any]]] = {
    "report": lambda one, at: one.slash(at["channel_id"], "studio report", forge=True),
    "ledger": lambda one, at: one.slash(at["channel_id"], "studio export", what="ledger", forge=True),
    "audit log": lambda one, at: one.slash(at["channel_id"], "studio export", what="audit_log", forge=True),
    "menu": lambda one, at: one.choose(at, MENU, "today", forge=True),
    "menu of nothing": lambda one, at: one.choose(at, "report:", "today", forge=True),
}


@pytest.mark.parametrize("act", list(FORGED))
async def test_somebody_who_is_no_moderator_learns_nothing(shared: Stack, act: str) -> None:
    """Also by interactions that Discord's own client would never send."""
    moderator, member = await shared.member(moderator=True), await shared.member(skip=2)
    studio = member.channel("studio")
    seen = [message for message in await member.messages(studio) if pictures_of(message)]
    public = seen[0] if seen else await make_picture(member, studio, "aurora stage")
    before = await entries(shared, moderator)
    newest = await member.newest_id(studio)
    await FORGED[act](member, public)
    answer = await member.wait_for_text(studio, NOT_YOURS, after=newest)
    assert answer["ephemeral_to"] == member.user_id
    assert files_of(answer) == pictures_of(answer) == []
    assert await entries(shared, moderator) == before


@pytest.mark.parametrize(
    ("act", "told"),
    [
        # What this version's menu doesn't offer may have been offered by another version's.
        (lambda one, at: one.choose(at, MENU, "forever", forge=True), "from another version of me"),
        (lambda one, at: one.choose(at, MENU, [], forge=True), "from another version of me"),
        (lambda one, at: one.choose(at, "report:other", "today", forge=True), "from another version of me"),
        (
            lambda one, at: one.slash(at["channel_id"], "studio report", period="forever", forge=True),
            "does not take that value",
        ),
        (
            lambda one, at: one.slash(at["channel_id"], "studio export", what="prompts", forge=True),
            "does not take that value",
        ),
    ],
)
async def test_values_that_no_menu_offers_are_refused(
    shared: Stack, act: Callable[[Member, dict[str, Any]], Awaitable[Any]], told: str
) -> None:
    moderator = await shared.member(moderator=True)
    report = await open_report(moderator, moderator.channel("studio"))
    await act(moderator, report)
    answer = await moderator.wait_for_text(report["channel_id"], told, after=report["id"])
    assert answer["ephemeral_to"] == moderator.user_id


async def test_the_menu_works_after_a_restart_and_not_for_one_who_was_a_moderator(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    async with run_servers() as servers:
        async with run_bot(servers, url, tmp_path / "first.log"):
            moderator = await Member.join(servers, moderator=True)
            studio = moderator.channel("studio")
            report = await open_report(moderator, studio)
        async with run_bot(servers, url, tmp_path / "second.log"):
            report = await choose(moderator, report, ReportPeriod.TODAY, "Today")
            await servers.set_member_roles(moderator.user_id, [])
            newest = await moderator.newest_id(studio)
            await moderator.choose(report, MENU, ReportPeriod.DAYS_30)
            await moderator.wait_for_text(studio, NOT_YOURS, after=newest)
            [same] = [one for one in await moderator.messages(studio) if one["id"] == report["id"]]
            assert "### Report · Today" in text_of(same)
