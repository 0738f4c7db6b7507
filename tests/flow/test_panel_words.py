"""Words in the settings panel through the real process: lists, what is always allowed, AutoMod."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.caps.values import Policy
from bot.safety.words import WordAction, WordList
from tests.flow.acts import change_policy, see
from tests.flow.panel_acts import begin, fill, open_panel, policy_of
from tests.support.member import selects_of, text_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_word_list_lives_its_life(shared: Stack) -> None:
    """Made, filled, refilled, renamed, switched, deleted only when sure, and brought back by Undo."""
    moderator = await begin(shared)
    panel = await open_panel(moderator, "words")
    panel = await fill(moderator, panel, "new", "List “Rude” made, with 0 words", typed="  Rude ")
    panel = await fill(
        moderator, panel, "edit", "List “Rude”: 3 added, 0 taken out", typed="foo, bar\nbaz*\n foo"
    )
    [rude] = (await policy_of(shared, moderator)).word_lists
    assert rude == WordList(name="Rude", action=WordAction.REFUSE, words=("foo", "bar", "baz*"))
    window = await moderator.open_modal(lambda: moderator.press(panel, custom_id="studio1:edit"))
    assert window["components"][0]["component"]["value"] == "foo\nbar\nbaz*"
    newest = await moderator.newest_id(panel["channel_id"])
    typed = "foo\n" + "x" * 61 + "\n!!!"
    await moderator.submit(panel["channel_id"], window, message=panel, typed=typed)
    told = await moderator.wait_for_text(panel["channel_id"], "is longer than 60 characters", after=newest)
    assert f"```\n{typed}\n```" in text_of(told), "all that was typed comes back"
    await moderator.press(panel, "Leave out instead")
    panel = await see(moderator, panel, "List “Rude”: refuse the picture → **leave the words out**")
    panel = await fill(moderator, panel, "rename", "Name of the list: Rude → **Bad**", typed="Bad")
    await moderator.press(panel, "Delete")
    panel = await see(moderator, panel, "Delete the list “Bad” with 3 words?")
    assert len((await policy_of(shared, moderator)).word_lists) == 1
    await moderator.press(panel, "Yes, delete it")
    panel = await see(moderator, panel, "List “Bad” deleted, with 3 words")
    assert (await policy_of(shared, moderator)).word_lists == ()
    await moderator.press(panel, "Undo")
    await see(moderator, panel, "List “Bad” made, with 3 words")
    assert (await policy_of(shared, moderator)).word_lists == (
        replace(rude, name="Bad", action=WordAction.DROP),
    )


async def test_words_that_another_moderator_changed_meanwhile_are_not_overwritten(shared: Stack) -> None:
    one = WordList(name="Rude", action=WordAction.REFUSE, words=("foo",))
    moderator = await begin(shared, word_lists=(one,))
    panel = await open_panel(moderator, "words")
    key = next(s for s in selects_of(panel) if s["custom_id"] == "studio1:list")["options"][0]["value"]
    await moderator.choose(panel, "studio1:list", key)
    panel = await see(moderator, panel, "||foo||")
    window = await moderator.open_modal(lambda: moderator.press(panel, custom_id="studio1:edit"))
    other = replace(one, words=("fob", "bar"))
    await change_policy(shared, moderator, lambda p: replace(p, word_lists=(other,)))
    newest = await moderator.newest_id(panel["channel_id"])
    await moderator.submit(panel["channel_id"], window, message=panel, typed="baz")
    told = await moderator.wait_for_text(panel["channel_id"], "changed these words meanwhile", after=newest)
    assert "baz" in text_of(told)
    assert (await policy_of(shared, moderator)).word_lists == (other,)


async def test_allowed_words_gifts_and_the_log(shared: Stack) -> None:
    moderator = await begin(shared)
    panel = await open_panel(moderator, "words")
    panel = await fill(moderator, panel, "allow", "Always allowed words: added año", typed="año")
    await moderator.press(panel, "Clear")
    panel = await see(moderator, panel, "Take out all that is allowed (1)?")
    await moderator.press(panel, "Yes, take them out")
    await see(moderator, panel, "took out año")
    panel = await open_panel(moderator, "more")
    await moderator.press(panel, "Turn on")
    panel = await see(moderator, panel, "Gifts between members: off → **on**")
    general = moderator.channel("general")
    await moderator.choose(panel, "studio1:log", [general])
    panel = await see(moderator, panel, f"Log channel: none → **<#{general}>**")
    policy = await policy_of(shared, moderator)
    assert policy.allowed_words == ()
    assert (policy.gifts_allowed, policy.log_channel_id) == (True, int(general))
    await moderator.choose(panel, "studio1:log", [])
    await see(moderator, panel, f"Log channel: <#{general}> → **none**")
    await begin(shared)


async def test_the_words_of_automod_are_read_when_they_are_turned_on(shared: Stack) -> None:
    """Without the permission nothing changes; with it the words count, and what was left out is said."""
    moderator = await begin(shared)
    rule = await shared.servers.put_automod_rule("Rude", "foo", "bar*")
    metadata = {"keyword_filter": ["baz"], "regex_patterns": ["b[aeiou]z"], "allow_list": ["bazaar"]}
    other = await shared.servers.put_automod_rule("More", trigger_metadata=metadata)
    panel = await open_panel(moderator, "words")
    await moderator.choose(panel, "studio1:automod", "drop")
    panel = await see(moderator, panel, "I may not read this server's AutoMod")
    assert "Word lists" in text_of(panel), "the choice is drawn anew in the same section"
    assert await policy_of(shared, moderator) == Policy()
    managed = await shared.servers.managed_role()
    await shared.servers.set_role_permissions(managed, allow=("MANAGE_GUILD",))
    await moderator.choose(panel, "studio1:automod", "drop")
    panel = await see(moderator, panel, "Words from AutoMod: not used → **leave the words out**")
    assert "In use: 3 words, 1 always allowed" in text_of(panel)
    assert "Words read from AutoMod: 3 added, 0 taken out" in text_of(panel)
    assert "Left out: 1." in text_of(panel)
    policy = await policy_of(shared, moderator)
    assert (policy.automod_action, set(policy.automod_words)) == (WordAction.DROP, {"foo", "bar*", "baz"})
    await moderator.choose(panel, "studio1:automod", "unused")
    await see(moderator, panel, "leave the words out → **not used**")
    assert await policy_of(shared, moderator) == Policy()
    await shared.servers.set_role_permissions(managed, deny=("MANAGE_GUILD",))
    await shared.servers.delete_automod_rule(rule)
    await shared.servers.delete_automod_rule(other)
