"""/studio settings and /studio timezone through the real process: every setting, changed in one message."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bot.caps.values import Cap, CapOf, Policy
from db.enums import AuditAction, BalancePeriod
from tests.flow.acts import change_policy, entries, see
from tests.flow.conftest import only_sqlite
from tests.flow.panel_acts import begin, fill, open_panel, policy_of
from tests.support.member import text_of
from tests.support.process import start_bot

if TYPE_CHECKING:
    from tests.flow.conftest import Stack

shared_loop = pytest.mark.asyncio(loop_scope="module")
GONE_ID = 999_999_999_999_999_999


@shared_loop
async def test_the_time_zone_is_suggested_and_set(shared: Stack) -> None:
    moderator = await shared.member(moderator=True)
    studio = moderator.channel("studio")
    offered = await moderator.autocomplete(studio, "studio timezone", "zone", "")
    assert offered[0]["value"] == "America/New_York", "the first zone comes from the server's language"
    [seoul] = await moderator.autocomplete(studio, "studio timezone", "zone", "seou")
    await moderator.slash(studio, "studio timezone", zone=seoul["value"])
    told = await moderator.wait_for_text(studio, "now begin by **Asia/Seoul**")
    assert told["ephemeral_to"] == moderator.user_id
    assert (await policy_of(shared, moderator)).time_zone == "Asia/Seoul"
    await moderator.slash(studio, "studio timezone", zone="Nowhere")
    await moderator.wait_for_text(studio, "I don't know the time zone “Nowhere”")


@shared_loop
@pytest.mark.parametrize(
    ("topic", "part", "fields", "said", "expected"),
    [
        (
            "caps",
            "cap",
            {"typed": " 20 ", "period": "week"},
            "Default cap: no cap → **20 credits a week**",
            {"member_cap": Cap(credits=20, period=BalancePeriod.WEEK)},
        ),
        (
            "caps",
            "budget",
            {"typed": "5,000"},
            "Budget of the server: no budget → **5\u202f000 credits a month**",
            {"server_budget_credits": 5000},
        ),
        ("queue", "running", {"typed": "5"}, "Pictures at once: 3 → **5**", {"running_max": 5}),
        ("queue", "waiting", {"typed": "0"}, "Waiting in line: 10 → **0**", {"waiting_max": 0}),
        (
            "queue",
            "cooldown",
            {"typed": "2", "unit": "minute"},
            "Pause between pictures: none → **2 minutes**",
            {"cooldown_s": 120},
        ),
        (
            "queue",
            "tenure",
            {"typed": "1", "unit": "day"},
            "Time on the server first: none → **1 day**",
            {"tenure_s": 86_400},
        ),
        (
            "more",
            "retention",
            {"typed": "7"},
            "Keep the record: 30 days → **7 days**",
            {"retention_days": 7},
        ),
        ("more", "zone", {"typed": "seoul"}, "Time zone: UTC → **Asia/Seoul**", {"time_zone": "Asia/Seoul"}),
    ],
)
async def test_a_setting_is_changed_by_a_window_and_undone_in_the_same_message(
    shared: Stack, topic: str, part: str, fields: dict[str, str], said: str, expected: dict[str, Any]
) -> None:
    moderator = await begin(shared)
    panel = await fill(moderator, await open_panel(moderator, topic), part, said, **fields)
    assert await policy_of(shared, moderator) == replace(Policy(), **expected)
    entry = (await entries(shared, moderator))[-1]
    assert (entry.actor_id, entry.action, entry.subject) == (
        int(moderator.user_id),
        AuditAction.SETTING,
        *expected,
    )
    await moderator.press(panel, "Undo")
    before, _, after = said.partition(": ")[2].replace("*", "").partition(" → ")
    await see(moderator, panel, f"{after} → **{before}**")
    assert await policy_of(shared, moderator) == Policy()
    assert len(await entries(shared, moderator)) >= 2


@shared_loop
@pytest.mark.parametrize("typed", ["1,00", "٣", "-5", "1e9", "0x10", "3.5", "9999999", "ten *bold*"])
async def test_a_number_that_can_be_misread_is_refused_and_quoted(shared: Stack, typed: str) -> None:
    moderator = await begin(shared)
    panel = await open_panel(moderator)
    newest = await moderator.newest_id(panel["channel_id"])
    window = await moderator.open_modal(lambda: moderator.press(panel, custom_id="studio1:cap"))
    await moderator.submit(panel["channel_id"], window, message=panel, typed=typed)
    told = await moderator.wait_for_text(panel["channel_id"], "in plain digits", after=newest)
    assert told["ephemeral_to"] == moderator.user_id
    assert typed.replace("*", "\\*") in text_of(told)
    assert await policy_of(shared, moderator) == Policy()


@shared_loop
async def test_an_empty_cap_is_no_cap(shared: Stack) -> None:
    moderator = await begin(shared, member_cap=Cap(credits=5))
    panel = await open_panel(moderator)
    await fill(moderator, panel, "cap", "Default cap: 5 credits a day → **no cap**", typed="")
    assert (await policy_of(shared, moderator)).member_cap is None


@shared_loop
async def test_roles_and_channels_get_caps_by_choosing_them(shared: Stack) -> None:
    moderator = await begin(shared)
    panel = await open_panel(moderator)
    role, channel = moderator.role("Lightstick"), moderator.channel("studio")
    window = await moderator.open_modal(lambda: moderator.choose(panel, "studio1:role", role))
    assert window["title"] == "Cap of Lightstick"
    await moderator.submit(panel["channel_id"], window, message=panel, typed="unlimited")
    panel = await see(moderator, panel, f"Cap of <@&{role}>: no cap → **unlimited**")
    window = await moderator.open_modal(lambda: moderator.choose(panel, "studio1:chan", channel))
    await moderator.submit(panel["channel_id"], window, message=panel, typed="300", period="month")
    panel = await see(moderator, panel, f"Cap of <#{channel}>: no cap → **300 credits a month**")
    policy = await policy_of(shared, moderator)
    assert policy.role_caps == (CapOf(id=int(role), cap=Cap(credits=None)),)
    assert policy.channel_caps == (CapOf(id=int(channel), cap=Cap(credits=300, period=BalancePeriod.MONTH)),)
    window = await moderator.open_modal(lambda: moderator.choose(panel, "studio1:rolecap", role))
    await moderator.submit(panel["channel_id"], window, message=panel, typed="")
    await see(moderator, panel, "unlimited → **no cap**")
    assert (await policy_of(shared, moderator)).role_caps == ()


@shared_loop
async def test_what_was_deleted_on_discord_is_called_so_and_can_be_removed(shared: Stack) -> None:
    moderator = await shared.member(moderator=True)
    role = await shared.servers.add_role("Short lived")
    channel = await shared.servers.add_channel("short-lived")
    moderator = await begin(
        shared,
        role_caps=(CapOf(id=int(role), cap=Cap(credits=7)),),
        allowed_places=(int(channel),),
        blocked_roles=(int(role),),
        log_channel_id=int(channel),
    )
    await shared.servers.delete_role(role)
    await shared.servers.delete_channel(channel)
    panel = await open_panel(moderator)
    assert "deleted role · 7 credits a day" in text_of(panel)
    window = await moderator.open_modal(lambda: moderator.choose(panel, "studio1:rolecap", role))
    await moderator.submit(panel["channel_id"], window, message=panel, typed="")
    await see(moderator, panel, "Cap of deleted role: 7 credits a day → **no cap**")
    panel = await open_panel(moderator, "places")
    assert "**Only here** · deleted channel" in text_of(panel)
    assert "**Blocked roles** · deleted role" in text_of(panel)
    await moderator.press(panel, "Take out what was deleted (2)")
    panel = await see(moderator, panel, "took out deleted channel")
    assert "**Only here** · everywhere" in text_of(panel)
    panel = await open_panel(moderator, "more")
    assert "**Log channel** · deleted channel" in text_of(panel)
    await moderator.press(panel, "Post no log")
    await see(moderator, panel, "Log channel: deleted channel → **none**")
    assert await policy_of(shared, moderator) == Policy()


@shared_loop
async def test_places_are_chosen_and_an_old_panel_keeps_what_others_chose(shared: Stack) -> None:
    """Only what is put into a choice or taken out of it counts, not what the panel did not show."""
    moderator = await begin(shared)
    studio, general = moderator.channel("studio"), moderator.channel("general")
    cafe = moderator.category("Cafe")
    panel = await open_panel(moderator, "places")
    await change_policy(shared, moderator, lambda p: replace(p, allowed_places=(int(general),)))
    await moderator.choose(panel, "studio1:allowed", [studio, cafe])
    panel = await see(moderator, panel, f"Only here: added <#{studio}>, Cafe (category)")
    assert (await policy_of(shared, moderator)).allowed_places == (int(general), int(studio), int(cafe))
    await moderator.choose(panel, "studio1:allowed", [studio])
    panel = await see(moderator, panel, f"took out <#{general}>, Cafe (category)")
    await moderator.press(panel, "Undo")
    await see(moderator, panel, f"added <#{general}>, Cafe (category)")
    await moderator.choose(panel, "studio1:denied", [general])
    panel = await see(moderator, panel, f"Never here: added <#{general}>")
    role = moderator.role("Lightstick")
    await moderator.choose(panel, "studio1:roles", [role])
    await see(moderator, panel, f"Blocked roles: added <@&{role}>")
    policy = await policy_of(shared, moderator)
    assert (policy.denied_places, policy.blocked_roles) == ((int(general),), (int(role),))
    await change_policy(shared, moderator, lambda _: Policy())


@shared_loop
async def test_many_places_are_turned_by_pages(shared: Stack) -> None:
    many = tuple(GONE_ID - number for number in range(45))
    moderator = await begin(shared, allowed_places=many)
    panel = await open_panel(moderator, "places")
    await moderator.press(panel, "Next (1 of 3)")
    panel = await see(moderator, panel, "Studio settings")
    await moderator.wait_for(
        panel["channel_id"], lambda m: any("2 of 3" in str(b) for b in m.get("components", []))
    )
    studio = moderator.channel("studio")
    await moderator.choose(panel, "studio1:allowed", [studio], forge=True)
    await see(moderator, panel, f"Only here: added <#{studio}>")
    assert (await policy_of(shared, moderator)).allowed_places == (*many, int(studio))


@shared_loop
async def test_a_log_channel_that_is_closed_to_the_bot_is_refused(shared: Stack) -> None:
    moderator = await begin(shared)
    closed = moderator.channel("mods")
    panel = await open_panel(moderator, "more")
    await moderator.choose(panel, "studio1:log", [closed])
    await moderator.wait_for_text(panel["channel_id"], f"I may not write in <#{closed}>")
    assert (await policy_of(shared, moderator)).log_channel_id is None


@shared_loop
async def test_two_moderators_at_once_keep_each_others_settings(shared: Stack) -> None:
    moderator = await begin(shared)
    other = await shared.member(skip=3)
    await shared.servers.set_member_roles(other.user_id, [moderator.role("Moderator")])
    await other.refresh()
    mine, theirs = await open_panel(moderator), await open_panel(other, "queue")
    my_window = await moderator.open_modal(lambda: moderator.press(mine, custom_id="studio1:cap"))
    their_window = await other.open_modal(lambda: other.press(theirs, custom_id="studio1:running"))
    await asyncio.gather(
        moderator.submit(mine["channel_id"], my_window, message=mine, typed="9"),
        other.submit(theirs["channel_id"], their_window, message=theirs, typed="2"),
    )
    mine = await see(moderator, mine, "no cap → **9 credits a day**")
    await see(other, theirs, "3 → **2**")
    assert await policy_of(shared, moderator) == Policy(member_cap=Cap(credits=9), running_max=2)
    theirs = await open_panel(other)
    await fill(other, theirs, "cap", "9 credits a day → **8 credits a day**", typed="8")
    await moderator.press(mine, "Undo")
    await moderator.wait_for_text(mine["channel_id"], "Somebody has changed this setting since")
    assert (await policy_of(shared, moderator)).member_cap == Cap(credits=8)
    await shared.servers.set_member_roles(other.user_id, [moderator.role("Lightstick")])


@shared_loop
@pytest.mark.parametrize(
    "part", ["studio1:nothing", "studio1:undo", "studio1:undo/caps/x", "studio1:edit/0/0"]
)
async def test_a_part_of_another_version_says_so_kindly(shared: Stack, part: str) -> None:
    moderator = await begin(shared)
    panel = await open_panel(moderator)
    newest = await moderator.newest_id(panel["channel_id"])
    await moderator.press(panel, custom_id=part, forge=True)
    await moderator.wait_for(
        panel["channel_id"],
        lambda m: "older version" in text_of(m) or "deleted or renamed" in text_of(m),
        after=newest,
    )


@only_sqlite
async def test_a_panel_and_its_open_window_outlive_a_restart(stack: Stack) -> None:
    moderator = await begin(stack)
    panel = await open_panel(moderator)
    window = await moderator.open_modal(lambda: moderator.press(panel, custom_id="studio1:cap"))
    assert await stack.bot.stop() == 0
    bot = await start_bot(stack.servers, stack.database_url, stack.bot._log_path)
    try:
        await moderator.submit(panel["channel_id"], window, message=panel, typed="4")
        panel = await see(moderator, panel, "no cap → **4 credits a day**")
        await moderator.press(panel, "Undo")
        await see(moderator, panel, "4 credits a day → **no cap**")
    finally:
        assert await bot.stop() == 0
