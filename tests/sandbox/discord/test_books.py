"""The books: every message and interaction of the bot, whatever became of them, and how requests ended."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.sandbox.discord.support import FLAG_V2, PIXEL, Local

BUTTON = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Edit", "custom_id": "k1:edit:job7"}]}


async def _books(local: Local, query: str = "") -> Any:
    answer = await local.request("GET", f"/control/books{query}")
    assert answer.status == 200, answer.body
    return answer.body


async def test_a_message_is_kept_with_all_it_ever_had_and_after_its_end(local: Local) -> None:
    texts = {"components": [{"type": 10, "content": "Done"}, BUTTON], "flags": FLAG_V2}
    source = (await local.say("draw this")).body["id"]
    body = {**texts, "nonce": "job7", "enforce_nonce": True, "message_reference": {"message_id": source}}
    made = (await local.post(body)).body["id"]
    path = f"/channels/{local.channel()}/messages/{made}"
    edited = {
        "components": [
            {"type": 10, "content": "Removed"},
            {"type": 12, "items": [{"media": {"url": "attachment://a.png"}}]},
        ],
        "attachments": [{"id": 0, "filename": "a.png"}],
    }
    assert (await local.upload("PATCH", path, edited, ("a.png", PIXEL))).status == 200
    assert (await local.bot("DELETE", path)).status == 204
    [record] = (await _books(local))["messages"]
    assert record["deleted_at_s"] >= record["created_at_s"] > 0
    [attachment] = record["attachments"]
    assert (attachment["filename"], attachment["size_bytes"]) == ("a.png", len(PIXEL))
    expected = {
        "number": 1,
        "id": made,
        "channel_id": local.channel(),
        "guild_id": local.guild,
        "nonce": "job7",
        "reply_to": source,
        "interaction_id": None,
        "ephemeral_to": None,
        "text": "Removed",
        "custom_ids": ["k1:edit:job7"],
        "edits": 1,
        "repeats": 0,
    }
    assert {key: record[key] for key in expected} == expected


async def test_creates_that_a_nonce_refused_are_counted(local: Local) -> None:
    body = {"content": "x", "nonce": "job7", "enforce_nonce": True}
    made = [(await local.post(body)).body["id"] for _ in range(3)]
    assert len(set(made)) == 1
    await local.bot("DELETE", f"/channels/{local.channel()}/messages/{made[0]}")
    assert (await local.post(body)).refusal == (404, 10008)
    books = await _books(local)
    assert (books["nonce_repeats"], books["messages_made"], books["messages"][0]["repeats"]) == (3, 1, 3)


async def test_messages_that_went_with_their_channel_are_kept_as_deleted(local: Local) -> None:
    await local.post({"content": "x"}, channel="studio")
    await local.request("DELETE", f"/control/channel/{local.channel('studio')}")
    [record] = (await _books(local))["messages"]
    assert record["deleted_at_s"] is not None


async def test_what_members_write_is_not_the_bots(local: Local) -> None:
    await local.say("hello")
    assert (await _books(local))["messages_made"] == 0


async def test_an_interaction_is_kept_with_how_it_was_answered(local: Local) -> None:
    interaction = await local.slash()
    assert (await local.answer(interaction, 5, {"flags": 64})).status == 200
    assert (await local.answer(interaction, 5)).refusal == (400, 40060)
    for text in ("1 of 2", "2 of 2"):
        await local.hook(interaction, "PATCH", body={"content": text})
    await local.hook(interaction, "POST", "", {"content": "more", "flags": 64})
    await local.hook(interaction, "GET")
    books = await _books(local)
    [record] = books["interactions"]
    assert record["acknowledged_at_s"] >= record["created_at_s"]
    expected = {
        "number": 1,
        "id": interaction.id,
        "type": 2,
        "name": "imagine",
        "user_id": local.user(),
        "channel_id": local.channel(),
        "guild_id": local.guild,
        "failed": False,
        "answers": {"callback 5": 1, "edit original": 2, "followup": 1, "read original": 1},
        "refused": {"callback 5 400 40060": 1},
    }
    assert {key: record[key] for key in expected} == expected
    card, more = books["messages"]
    assert (card["ephemeral_to"], card["interaction_id"]) == (local.user(), interaction.id)
    assert (card["text"], card["edits"], more["text"]) == ("2 of 2", 2, "more")


async def test_work_that_a_fault_hides_is_in_the_books_and_what_it_prevents_is_not(local: Local) -> None:
    hidden, prevented = await local.slash(), await local.slash()
    for interaction, after in ((hidden, True), (prevented, False)):
        await local.control("fault", {"path_regex": "callback", "drop": True, "after": after})
        with pytest.raises(aiohttp.ClientError):
            await local.answer(interaction, 5)
    books = await _books(local)
    assert [one["answers"] for one in books["interactions"]] == [{"callback 5": 1}, {}]
    assert books["requests"]["broken"] == 2


async def test_an_interaction_that_nobody_answered_in_time_has_failed(local: Local) -> None:
    await local.slash()
    await local.control("clock", {"advance_s": 4})
    [record] = (await _books(local))["interactions"]
    assert (record["failed"], record["acknowledged_at_s"], record["answers"]) == (True, None, {})
    for known, expected in ((0, [record["id"]]), (1, [])):
        answer = await local.request("GET", f"/control/books/changes?after_failures={known}")
        assert answer.body == {"messages": [], "failures": expected}


async def test_invalid_requests_are_counted_but_for_shared_limits(local: Local) -> None:
    await local.bot("GET", "/users/@me", token="wrong")
    await local.control("permissions", {"channel_id": local.channel(), "deny": ["SEND_MESSAGES"]})
    await local.post({"content": "x"})
    for scope in ("user", "shared"):
        await local.control("fault", {"path_regex": "", "status": 429, "scope": scope})
        await local.bot("GET", "/users/@me")
    books = await _books(local)
    assert books["requests"] == {"401": 1, "403": 1, "429": 2}
    assert books["invalid_requests"] == 3


async def test_records_come_in_pages(local: Local) -> None:
    for _ in range(5):
        await local.post({"content": "x"})
    first = await _books(local, "?limit=2")
    assert [one["number"] for one in first["messages"]] == [1, 2]
    assert first["next_message"] == 2
    last = await _books(local, "?limit=3&after_message=2&after_interaction=9")
    assert [one["number"] for one in last["messages"]] == [3, 4, 5]
    assert (last["next_message"], last["next_interaction"], last["interactions"]) == (None, None, [])
    assert (await _books(local, "?limit=0"))["messages"] == []
    answer = await local.request("GET", "/control/books?limit=-1")
    assert answer.refusal == (400, 50035)


async def test_the_books_are_bounded_and_say_what_they_lost(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.discord.books.RECORDS_MAX", 3)
    for _ in range(4):
        await local.post({"content": "x"})
    for _ in range(5):
        await local.slash()
    books = await _books(local)
    assert [one["number"] for one in books["messages"]] == [2, 3, 4]
    assert books["lost"] == {"messages": 1, "interactions": 2}
    assert (books["messages_made"], books["interactions_made"]) == (4, 5)


async def test_a_reset_begins_new_books(local: Local) -> None:
    await local.post({"content": "x"})
    await local.control("reset", {})
    books = await _books(local)
    assert (books["messages_made"], books["requests"], books["messages"]) == (0, {}, [])


async def test_changes_tell_each_message_once_as_it_stands(local: Local) -> None:
    async def changes(after: int) -> Any:
        return (await local.request("GET", f"/control/books/changes?after={after}")).body["messages"]

    first, second = [
        (await local.post({"content": "x", "components": [BUTTON]})).body["id"] for _ in range(2)
    ]
    seen = await changes(0)
    assert [one["id"] for one in seen] == [first, second]
    for text in ("y", "z"):
        await local.bot(
            "PATCH", f"/channels/{local.channel()}/messages/{first}", {"content": text, "components": []}
        )
    [changed] = await changes(seen[-1]["revision"])
    assert (changed["id"], changed["text"], changed["edits"]) == (first, "z", 2)
    assert (changed["custom_ids"], changed["custom_ids_now"]) == (["k1:edit:job7"], [])
    await local.bot("DELETE", f"/channels/{local.channel()}/messages/{second}")
    [gone] = await changes(changed["revision"])
    assert (gone["id"], gone["deleted_at_s"] is None) == (second, False)
    assert await changes(gone["revision"]) == []
