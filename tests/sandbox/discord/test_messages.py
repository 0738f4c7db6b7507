"""Messages over REST: what Discord refuses is refused with its status and code."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.discord.support import PIXEL, Local, serve_local

MIB = 1024 * 1024


async def test_a_wrong_token_is_unauthorized(local: Local) -> None:
    answer = await local.bot("GET", "/users/@me", token="wrong")
    assert (answer.status, answer.body) == (401, {"message": "401: Unauthorized", "code": 0})


async def test_an_unknown_route_is_not_found(local: Local) -> None:
    answer = await local.bot("GET", "/nowhere")
    assert (answer.status, answer.body) == (404, {"message": "404: Not Found", "code": 0})
    assert (await local.request("GET", "/api/v9/gateway")).status == 404


async def test_a_wrong_method_is_not_allowed(local: Local) -> None:
    assert (await local.bot("PUT", "/users/@me")).refusal == (405, 0)


async def test_answers_are_exactly_application_json(local: Local) -> None:
    answer = await local.bot("GET", "/users/@me")
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("raw", ["{", "[1", '{"content": NaN}', "[" * 100_000])
async def test_malformed_json_is_refused(local: Local, raw: str) -> None:
    path = f"/channels/{local.channel()}/messages"
    assert (await local.bot("POST", path, data=raw)).refusal == (400, 50109)


async def test_a_body_that_is_no_object_is_refused(local: Local) -> None:
    assert (await local.post(["text"])).refusal == (400, 50109)


@pytest.mark.parametrize("body", [{}, {"content": ""}, {"content": "  \n"}, {"embeds": [], "components": []}])
async def test_an_empty_message_is_refused(local: Local, body: dict[str, Any]) -> None:
    assert (await local.post(body)).refusal == (400, 50006)


@pytest.mark.parametrize(
    ("body", "place", "code"),
    [
        ({"content": "x" * 2001}, ("content",), "BASE_TYPE_MAX_LENGTH"),
        ({"content": 5}, ("content",), "STRING_TYPE_CONVERT"),
        ({"content": "x", "flags": "many"}, ("flags",), "NUMBER_TYPE_COERCE"),
        ({"content": "x", "flags": 64}, ("flags",), "MESSAGE_FLAGS_INVALID"),
        ({"content": "x", "tts": "yes"}, ("tts",), "BOOLEAN_TYPE_CONVERT"),
        ({"content": "x", "nonce": "n" * 26}, ("nonce",), "BASE_TYPE_MAX_LENGTH"),
        ({"content": "x", "nonce": 2**64}, ("nonce",), "NONCE_TYPE_INVALID"),
        ({"embeds": [{"title": "t"}] * 11}, ("embeds",), "BASE_TYPE_MAX_LENGTH"),
        ({"embeds": "none"}, ("embeds",), "LIST_TYPE_CONVERT"),
        ({"embeds": ["none"]}, ("embeds", "0"), "MODEL_TYPE_CONVERT"),
        ({"embeds": [{"description": "d" * 4097}]}, ("embeds", "0", "description"), "BASE_TYPE_MAX_LENGTH"),
        ({"embeds": [{"description": "d" * 3001}] * 2}, ("embeds",), "MAX_EMBED_SIZE_EXCEEDED"),
        ({"embeds": [{"color": 1 << 24}]}, ("embeds", "0", "color"), "NUMBER_TYPE_MAX"),
        ({"embeds": [{"color": -1}]}, ("embeds", "0", "color"), "NUMBER_TYPE_MIN"),
        ({"embeds": [{"footer": {}}]}, ("embeds", "0", "footer", "text"), "BASE_TYPE_REQUIRED"),
        ({"embeds": [{"image": {}}]}, ("embeds", "0", "image", "url"), "BASE_TYPE_REQUIRED"),
        (
            {"embeds": [{"fields": [{"name": ""}]}]},
            ("embeds", "0", "fields", "0", "name"),
            "BASE_TYPE_REQUIRED",
        ),
        (
            {"content": "x", "attachments": [{"id": "7"}]},
            ("attachments", "0", "id"),
            "MESSAGE_ATTACHMENT_NOT_FOUND",
        ),
        ({"content": "x", "poll": {"question": {}}}, ("poll",), "FEATURE_NOT_IN_SANDBOX"),
        (
            {"content": "x", "message_reference": {"message_id": "1"}},
            ("message_reference",),
            "REPLIES_UNKNOWN_MESSAGE",
        ),
        (
            {"content": "x", "allowed_mentions": {"parse": ["all"]}},
            ("allowed_mentions", "parse", "0"),
            "BASE_TYPE_CHOICES",
        ),
        (
            {"content": "x", "allowed_mentions": {"users": ["a"]}},
            ("allowed_mentions", "users", "0"),
            "NUMBER_TYPE_COERCE",
        ),
        (
            {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
            ("allowed_mentions", "parse"),
            "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
        ),
    ],
)
async def test_a_wrong_field_is_named(
    local: Local, body: dict[str, Any], place: tuple[str, ...], code: str
) -> None:
    answer = await local.post(body)
    assert answer.refusal == (400, 50035)
    assert answer.problems(*place) == [code]


async def test_all_wrong_fields_are_named_in_one_answer(local: Local) -> None:
    answer = await local.post({"content": "x" * 2001, "flags": -1})
    assert set(answer.body["errors"]) == {"content", "flags"}


async def test_content_is_trimmed_and_2000_characters_fit(local: Local) -> None:
    answer = await local.post({"content": f"  {'x' * 1990}  "})
    assert (answer.status, len(answer.body["content"])) == (200, 1990)


async def test_an_unknown_channel_or_message_is_named(local: Local) -> None:
    assert (await local.bot("GET", "/channels/1")).refusal == (404, 10003)
    assert (await local.bot("POST", "/channels/1/messages", {"content": "x"})).refusal == (404, 10003)
    assert (await local.bot("GET", f"/channels/{local.channel()}/messages/1")).refusal == (404, 10008)
    assert (await local.bot("PATCH", f"/channels/{local.channel()}/messages/1", {})).refusal == (404, 10008)


async def test_somebody_elses_message_is_neither_edited_nor_deleted(local: Local) -> None:
    said = await local.say("mine")
    path = f"/channels/{local.channel()}/messages/{said.body['id']}"
    assert (await local.bot("PATCH", path, {"content": "yours"})).refusal == (403, 50005)
    assert (await local.bot("DELETE", path)).refusal == (403, 50013)
    private = await local.say("mine", channel=local.direct())
    path = f"/channels/{local.direct()}/messages/{private.body['id']}"
    assert (await local.bot("DELETE", path)).refusal == (403, 50003)


async def test_a_message_is_edited_read_and_deleted(local: Local) -> None:
    made = await local.post({"content": "one"})
    path = f"/channels/{local.channel()}/messages/{made.body['id']}"
    edited = await local.bot("PATCH", path, {"content": "two"})
    assert edited.body["content"] == "two"
    assert edited.body["edited_timestamp"] is not None
    assert (await local.bot("PATCH", path, {"content": None})).refusal == (400, 50006)
    assert (await local.bot("GET", path)).body["content"] == "two"
    assert (await local.bot("DELETE", path)).status == 204
    assert (await local.bot("GET", path)).refusal == (404, 10008)


async def test_messages_are_listed_newest_first_around_before_and_after(local: Local) -> None:
    ids = [(await local.post({"content": str(number)})).body["id"] for number in range(5)]
    path = f"/channels/{local.channel()}/messages"

    async def listed(query: str) -> list[str]:
        return [one["content"] for one in (await local.bot("GET", f"{path}?{query}")).body]

    assert await listed("limit=2") == ["4", "3"]
    assert await listed(f"before={ids[2]}") == ["1", "0"]
    assert await listed(f"after={ids[2]}") == ["4", "3"]
    assert await listed(f"around={ids[2]}&limit=3") == ["3", "2", "1"]
    assert (await local.bot("GET", f"{path}?limit=101")).refusal == (400, 50035)
    assert (await local.bot("GET", f"{path}?before=x")).refusal == (400, 50035)


async def test_the_same_nonce_returns_the_earlier_message_for_some_minutes(local: Local) -> None:
    body = {"content": "once", "nonce": "job-1", "enforce_nonce": True}
    first = await local.post(body)
    assert first.body["nonce"] == "job-1"
    assert (await local.post(body)).body["id"] == first.body["id"]
    assert (await local.post({**body, "nonce": "job-2"})).body["id"] != first.body["id"]
    await local.control("clock", {"advance_s": 301})
    assert (await local.post(body)).body["id"] != first.body["id"]


async def test_a_nonce_is_not_enforced_unless_asked_for(local: Local) -> None:
    body = {"content": "twice", "nonce": "job-1"}
    assert (await local.post(body)).body["id"] != (await local.post(body)).body["id"]


async def test_a_deleted_message_is_not_made_anew_for_its_nonce(local: Local) -> None:
    body = {"content": "once", "nonce": "job-1", "enforce_nonce": True}
    first = await local.post(body)
    await local.bot("DELETE", f"/channels/{local.channel()}/messages/{first.body['id']}")
    assert (await local.post(body)).refusal == (404, 10008)


async def test_a_reply_carries_the_message_it_answers(local: Local) -> None:
    first = await local.post({"content": "one"})
    answer = await local.post({"content": "two", "message_reference": {"message_id": first.body["id"]}})
    assert answer.body["type"] == 19
    assert answer.body["referenced_message"]["content"] == "one"
    gone = {"message_id": "1", "fail_if_not_exists": False}
    assert (await local.post({"content": "three", "message_reference": gone})).body["type"] == 0


async def test_files_above_the_limits_are_too_large() -> None:
    async with serve_local(bot_file_bytes_max=1000, bot_request_bytes_max=4000) as local:
        fits = await local.post({}, files=(("a.bin", b"x" * 1000),))
        assert fits.status == 200
        assert (await local.post({}, files=(("a.bin", b"x" * 1001),))).refusal == (413, 40005)
        assert (await local.post({}, files=(("a.bin", b"x" * 900),) * 5)).refusal == (413, 40005)
        long = f"/channels/{local.channel()}/messages"
        assert (await local.bot("POST", long, data=b"[" + b" " * 5000 + b"]")).refusal == (413, 40005)


def test_the_default_limits_are_discords() -> None:
    from sandbox.discord.settings import DiscordSettings

    settings = DiscordSettings()
    assert (settings.bot_file_bytes_max, settings.bot_request_bytes_max) == (20 * MIB, 25 * MIB)


async def test_a_message_has_at_most_ten_files(local: Local) -> None:
    ten = tuple((f"{number}.png", PIXEL) for number in range(10))
    made = await local.post({}, files=ten)
    assert len(made.body["attachments"]) == 10
    assert (await local.post({}, files=(*ten, ("x.png", PIXEL)))).refusal == (400, 50035)
    path = f"/channels/{local.channel()}/messages/{made.body['id']}"
    assert (await local.upload("PATCH", path, {}, ("x.png", PIXEL))).refusal == (400, 50035)


async def test_a_picture_is_measured_and_served_from_a_signed_address(local: Local) -> None:
    body = {"attachments": [{"id": 0, "description": "one pixel"}]}
    made = await local.post(body, files=(("a b\u00e9.png", PIXEL),))
    [file] = made.body["attachments"]
    assert (file["width"], file["height"], file["content_type"]) == (1, 1, "image/png")
    assert (file["filename"], file["description"], file["size"]) == ("a_b.png", "one pixel", len(PIXEL))
    path = file["url"].removeprefix(local.base)
    async with local.session.get(local.base + path) as response:
        assert await response.read() == PIXEL
    assert (await local.request("GET", path.replace("hm=", "hm=0"))).status == 404
    await local.control("clock", {"advance_s": 2 * 86_400})
    assert (await local.request("GET", path)).status == 404
    fresh = await local.bot("GET", f"/channels/{local.channel()}/messages/{made.body['id']}")
    path = fresh.body["attachments"][0]["url"].removeprefix(local.base)
    async with local.session.get(local.base + path) as response:
        assert response.status == 200
    await local.bot("DELETE", f"/channels/{local.channel()}/messages/{made.body['id']}")
    assert (await local.request("GET", path)).status == 404


async def test_a_description_is_at_most_1024_characters(local: Local) -> None:
    body = {"attachments": [{"id": 0, "description": "d" * 1025}]}
    answer = await local.post(body, files=(("a.png", PIXEL),))
    assert answer.problems("attachments", "0", "description") == ["BASE_TYPE_MAX_LENGTH"]


async def test_an_edit_keeps_removes_and_adds_files_by_its_list(local: Local) -> None:
    made = await local.post({"content": "x"}, files=(("a.png", PIXEL), ("b.png", PIXEL)))
    first, second = made.body["attachments"]
    path = f"/channels/{local.channel()}/messages/{made.body['id']}"
    body = {"attachments": [{"id": second["id"], "description": "kept"}, {"id": 0, "filename": "new.png"}]}
    edited = await local.upload("PATCH", path, body, ("c.png", PIXEL))
    assert [one["filename"] for one in edited.body["attachments"]] == ["b.png", "new.png"]
    assert edited.body["attachments"][0]["description"] == "kept"
    assert (await local.request("GET", first["url"].removeprefix(local.base))).status == 404
    untouched = await local.bot("PATCH", path, {"content": "y"})
    assert len(untouched.body["attachments"]) == 2
    added = await local.upload("PATCH", path, {}, ("d.png", PIXEL))
    assert len(added.body["attachments"]) == 3
    assert (await local.bot("PATCH", path, {"attachments": []})).body["attachments"] == []


async def test_reactions_are_put_and_taken_away(local: Local) -> None:
    made = await local.post({"content": "x"})
    path = f"/channels/{local.channel()}/messages/{made.body['id']}"
    assert (await local.bot("PUT", f"{path}/reactions/%E2%AD%90/@me")).status == 204
    [reaction] = (await local.bot("GET", path)).body["reactions"]
    assert (reaction["emoji"]["name"], reaction["count"], reaction["me"]) == ("\u2b50", 1, True)
    assert (await local.bot("DELETE", f"{path}/reactions/%E2%AD%90/@me")).status == 204
    assert (await local.bot("DELETE", f"{path}/reactions/%E2%AD%90/@me")).refusal == (400, 10014)
    assert (await local.bot("PUT", f"{path}/reactions/smile/@me")).refusal == (400, 10014)
    for number in range(20):
        assert (await local.bot("PUT", f"{path}/reactions/{chr(0x1F400 + number)}/@me")).status == 204
    assert (await local.bot("PUT", f"{path}/reactions/{chr(0x1F500)}/@me")).refusal == (400, 30010)


async def test_a_direct_channel_is_opened_once(local: Local) -> None:
    opened = await local.bot("POST", "/users/@me/channels", {"recipient_id": local.user()})
    assert opened.body["id"] == local.direct()
    assert opened.body["recipients"][0]["id"] == local.user()
    keeper = await local.bot("POST", "/users/@me/channels", {"recipient_id": local.user("cafe_keeper")})
    assert keeper.status == 200
    assert (await local.bot("POST", "/users/@me/channels", {"recipient_id": "1"})).refusal == (400, 50033)
    assert (await local.bot("POST", "/users/@me/channels", {"recipient_id": "x"})).refusal == (400, 50035)
    own = {"recipient_id": local.core.bot_id}
    assert (await local.bot("POST", "/users/@me/channels", own)).refusal == (400, 50007)


async def test_the_oldest_messages_of_a_full_channel_go(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.discord.state.MESSAGES_PER_CHANNEL_MAX", 3)
    made = [await local.post({"content": str(number)}) for number in range(4)]
    path = f"/channels/{local.channel()}/messages"
    assert (await local.bot("GET", f"{path}/{made[0].body['id']}")).refusal == (404, 10008)
    assert len((await local.bot("GET", path)).body) == 3
