"""What the page gets: the state of one member, messages, events; and what members may do."""

from __future__ import annotations

import json

import pytest

from sandbox.discord.interaction_start import fail
from tests.sandbox.discord.support import PIXEL, SLASH, Gateway, Local


async def test_the_state_is_one_members_view(local: Local) -> None:
    state = (await local.page("GET", "state")).body
    assert state["me"]["username"] == "mina_fan"
    assert (state["bot"], state["bot_online"]) == (None, False)
    assert [one["username"] for one in state["users"] if one["moderator"]] == ["mod_moonbeam"]
    assert len(state["users"]) == 5
    channels = {one["name"] or one["recipient"]["username"]: one for one in state["channels"]}
    assert "mods" not in channels
    assert (channels["announcements"]["can_send"], channels["general"]["can_send"]) == (False, True)
    assert channels["general"]["bot_can_view"]
    assert (channels["showcase"]["bot_member"], channels["showcase"]["bot_can_view"]) == (False, False)
    assert channels["kvid"]["type"] == 1
    assert channels["lilac_sky"]["bot_member"] is False
    moderated = (await local.page("GET", "state", act="mod_moonbeam")).body["channels"]
    assert "mods" in [one["name"] for one in moderated]


async def test_the_state_says_who_is_in_which_server(local: Local) -> None:
    cafe, corner = (await local.page("GET", "state")).body["guilds"]
    regulars = {local.user(one) for one in ("mina_fan", "neon_otter", "lilac_sky", "mod_moonbeam")}
    assert regulars | {local.core.bot_id} <= set(cafe["member_ids"])
    owner = local.user("cafe_keeper")
    assert corner["member_ids"] == [owner, local.user("mina_fan"), local.user("neon_otter")]


async def test_the_bot_appears_after_its_first_login(local: Local) -> None:
    async with local.online():
        state = (await local.page("GET", "state")).body
        assert (state["bot"]["username"], state["bot_online"]) == ("kvid", True)
    assert (await local.page("GET", "state")).body["bot"]["id"] == local.core.bot_id


async def test_a_channel_names_the_commands_that_can_be_used_in_it(local: Local) -> None:
    both, mods = (
        {**SLASH, "integration_types": [0, 1]},
        {**SLASH, "name": "caps", "default_member_permissions": "32"},
    )
    admins = {**SLASH, "name": "root", "default_member_permissions": "0"}
    quiet = {**SLASH, "name": "quiet", "dm_permission": False}
    await local.register(both, mods, admins, quiet)
    await local.bot("POST", f"{local.app}/guilds/{local.guild}/commands", {**SLASH, "name": "local"})

    async def offered(act: str, channel: str) -> list[str]:
        state = (await local.page("GET", "state", act=act)).body
        names = {one["id"]: one["name"] for one in state["commands"]}
        found = next(one for one in state["channels"] if one["id"] == channel)
        return [names[one] for one in found["command_ids"]]

    assert await offered("mina_fan", local.channel()) == ["imagine", "quiet", "local"]
    assert await offered("mod_moonbeam", local.channel()) == ["imagine", "caps", "quiet", "local"]
    assert await offered("mina_fan", local.channel("showcase")) == ["imagine"]
    assert await offered("mina_fan", local.direct()) == ["imagine", "caps", "root"]
    lilac = local.core.world.find_direct_channel(local.user("mina_fan"), local.user("lilac_sky"))
    assert lilac is not None
    assert await offered("mina_fan", lilac.id) == ["imagine"]
    assert await offered("lilac_sky", lilac.id) == []


async def test_only_members_act(local: Local) -> None:
    for user in ("1", local.core.bot_id, local.user("cafe_keeper")):
        assert (await local.request("GET", f"/page/state?as={user}")).refusal == (404, 10013)
    assert (await local.request("GET", "/page/state")).body["me"]["username"] == "mina_fan"


async def test_messages_come_oldest_first_in_pages(local: Local) -> None:
    ids = [(await local.say(str(number))).body["id"] for number in range(4)]
    path = f"channels/{local.channel()}/messages"
    seen = (await local.page("GET", f"{path}?limit=2")).body["messages"]
    assert [one["id"] for one in seen] == ids[2:]
    before = (await local.page("GET", f"{path}?before={ids[2]}")).body["messages"]
    assert [one["id"] for one in before] == ids[:2]
    assert (await local.page("GET", f"{path}?limit=0")).refusal == (400, 50035)
    assert (await local.page("GET", f"{path}?before=x")).refusal == (400, 50035)
    assert (await local.page("GET", "channels/1/messages")).refusal == (404, 10003)
    assert (await local.page("GET", f"channels/{local.channel('mods')}/messages")).refusal == (404, 10003)


async def test_members_write_where_they_may(local: Local) -> None:
    assert (await local.say("x", channel=local.channel("announcements"))).refusal == (403, 50013)
    assert (await local.say("x", channel=local.channel("announcements"), act="mod_moonbeam")).status == 200
    assert (await local.say("x" * 4001)).refusal == (400, 50035)
    assert (await local.say("")).refusal == (400, 50006)
    assert (await local.say("", ("a.png", PIXEL))).body["attachments"][0]["width"] == 1
    guild = local.core.world.guilds[local.guild]
    guild.roles[guild.id].permissions &= ~(1 << 15)
    assert (await local.say("", ("a.png", PIXEL))).refusal == (403, 50013)


async def test_a_reply_needs_a_message_that_is_there(local: Local) -> None:
    assert (await local.say("x", reply_to="1")).refusal == (404, 10008)
    answered = await local.answer(await local.slash(), 4, {"content": "x", "flags": 64})
    private = answered.body["interaction"]["response_message_id"]
    assert (await local.say("x", reply_to=private)).refusal == (400, 50035)
    assert (await local.say("x", reply_to=private, act="neon_otter")).refusal == (404, 10008)


async def test_members_delete_their_own_and_moderators_any(local: Local) -> None:
    path = f"channels/{local.channel()}/messages"
    mine, other = (await local.say("x")).body["id"], (await local.say("x")).body["id"]
    assert (await local.page("DELETE", f"{path}/{mine}", act="neon_otter")).refusal == (403, 50013)
    assert (await local.page("DELETE", f"{path}/{mine}")).status == 204
    assert (await local.page("DELETE", f"{path}/{other}", act="mod_moonbeam")).status == 204
    assert (await local.page("DELETE", f"{path}/{other}")).refusal == (404, 10008)
    direct = f"/channels/{local.direct()}/messages"
    theirs = (await local.bot("POST", direct, {"content": "x"})).body["id"]
    assert (await local.page("DELETE", f"{direct[1:]}/{theirs}")).refusal == (403, 50003)


async def test_a_dismissed_message_is_gone_for_its_reader_and_the_bot_never_hears_of_it(local: Local) -> None:
    interaction = await local.slash()
    answered = await local.answer(interaction, 4, {"content": "x", "flags": 64})
    message_id = answered.body["interaction"]["response_message_id"]
    path = f"channels/{local.channel()}/messages"
    async with local.events() as events:
        assert (await local.page("DELETE", f"{path}/{message_id}")).status == 204
        assert (await events.wait_for("MESSAGE_DELETE"))["id"] == message_id
    assert (await local.page("GET", path)).body["messages"] == []
    assert (await local.hook(interaction, "PATCH", body={"content": "still there"})).status == 200
    assert (await local.page("GET", path)).body["messages"] == []


async def test_events_reach_those_who_see_the_channel(local: Local) -> None:
    async with local.events("mina_fan") as member, local.events("mod_moonbeam") as moderator:
        await local.say("psst", channel=local.channel("mods"), act="mod_moonbeam")
        interaction = await local.slash()
        await local.answer(interaction, 4, {"content": "private", "flags": 64})
        await local.bot("POST", f"/channels/{local.channel()}/typing")
        made = await local.post({"content": "all"})
        await local.bot("DELETE", f"/channels/{local.channel()}/messages/{made.body['id']}")
        assert (await member.wait_for("MESSAGE_CREATE"))["content"] == "private"
        assert await member.seen_until("MESSAGE_DELETE") == [
            "INTERACTION_ACK",
            "TYPING_START",
            "MESSAGE_CREATE",
            "MESSAGE_DELETE",
        ]
        assert (await moderator.wait_for("MESSAGE_CREATE"))["content"] == "psst"
        assert (await moderator.wait_for("MESSAGE_CREATE"))["content"] == "all"


async def _finish_interaction(local: Local, how: str, session: str | None) -> None:
    interaction = await local.slash(session=session)
    if how == "MODAL":
        field = {"type": 18, "label": "What?", "component": {"type": 4, "custom_id": "what", "style": 1}}
        await local.answer(interaction, 9, {"title": "Edit", "custom_id": "x", "components": [field]})
    elif how == "ACK":
        await local.answer(interaction, 5, {"flags": 64})
    else:
        fail(local.core, interaction)
    await local.say("afterwards")


def _only_own(names: list[str]) -> list[str]:
    return [name for name in names if name.startswith("INTERACTION_")]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("MODAL", ["INTERACTION_MODAL", "INTERACTION_ACK"]),
        ("ACK", ["INTERACTION_ACK"]),
        ("FAILED", ["INTERACTION_FAILED"]),
    ],
)
async def test_how_an_interaction_ended_is_told_to_the_page_that_acted_alone(
    local: Local, how: str, told: list[str]
) -> None:
    async with (
        local.events(session="one") as acting,
        local.events(session="two") as other,
        local.events() as listener,
        local.events("neon_otter", session="one") as stranger,
    ):
        await _finish_interaction(local, how, "one")
        after = [await _names_until_said(one) for one in (acting, other, listener, stranger)]
        assert [_only_own(names) for names in after] == [told, [], [], []]
        await _finish_interaction(local, how, None)
        after = [await _names_until_said(one) for one in (acting, other, listener, stranger)]
        assert [_only_own(names) for names in after] == [told, told, told, []]


async def _names_until_said(events: Gateway) -> list[str]:
    names = []
    while True:
        frame = await events.receive()
        names.append(frame["t"])
        if frame["t"] == "MESSAGE_CREATE" and frame["d"]["content"] == "afterwards":
            return names


async def test_a_session_id_has_a_limit(local: Local) -> None:
    long = "x" * 65
    assert (await local.page("GET", f"events?session={long}")).refusal == (400, 50035)
    assert (await local.interact({"type": 2}, session=long)).refusal == (400, 50035)


async def test_events_are_the_same_as_what_is_listed(local: Local) -> None:
    async with local.events() as events:
        first = await local.say("one")
        await local.say("two", reply_to=first.body["id"])
        await events.wait_for("MESSAGE_CREATE")
        event = await events.wait_for("MESSAGE_CREATE")
    listed = (await local.page("GET", f"channels/{local.channel()}/messages")).body["messages"]
    assert listed[-1] == event
    assert event["referenced_message"]["content"] == "one"
    assert (event["ephemeral_to"], event["interaction_failed"]) == (None, False)


async def test_only_so_many_pages_may_be_open(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.discord.page_events.PAGES_MAX", 1)
    async with local.events(), local.events() as second:
        assert await second.receive_close() == 1013


async def test_a_page_that_does_not_keep_up_is_let_go(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.discord.outbox.QUEUE_MAX", 2)
    async with local.events() as events:
        while not local.core.pages.pages:
            await local.page("GET", "state")
        for _ in range(5):
            local.core.announce_state()
        assert await events.receive_close() == 1008


@pytest.mark.parametrize("path", ["/page/state", "/control/messages", "/"])
async def test_foreign_pages_are_kept_out(local: Local, path: str) -> None:
    foreign = await local.request("GET", path, headers={"Origin": "https://elsewhere.example"})
    assert foreign.refusal == (403, 0)
    own = await local.request("GET", "/page/state", headers={"Origin": local.base})
    assert own.status == 200


async def test_other_machines_have_no_control(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.discord import middleware

    assert not middleware._is_loopback("192.0.2.1")
    assert not middleware._is_loopback(None)
    assert not middleware._is_loopback("somewhere")
    monkeypatch.setattr(middleware, "_is_loopback", lambda _: False)
    assert (await local.control("reset", {})).refusal == (403, 0)
    assert (await local.page("GET", "state")).status == 200


async def test_pages_files_are_served_from_their_folder_only(
    local: Local, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<p>hello</p>")
    (folder / "app.js").write_text("0")
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr("sandbox.discord.server.PAGE_FOLDER", folder)
    assert (await local.request("GET", "/")).body == "<p>hello</p>"
    assert (await local.request("GET", "/page/static/app.js")).status == 200
    for path in ("none.js", "%2e%2e/secret", "..%2fsecret", "%00"):
        assert (await local.request("GET", f"/page/static/{path}")).status == 404, path


async def test_what_a_browser_would_run_is_served_as_a_plain_file(local: Local) -> None:
    for name in ("a.html", "a.svg", "a.js", "a.xml"):
        made = await local.say("", (name, b"<script>0</script>"))
        [file] = made.body["attachments"]
        assert file["content_type"] == "application/octet-stream"
        async with local.session.get(file["url"]) as response:
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_page_request_without_sense_is_refused(local: Local) -> None:
    path = f"channels/{local.channel()}/messages"
    assert (await local.page("POST", path, data="{")).refusal == (400, 50109)
    assert (await local.page("POST", path, data=json.dumps({"content": 5}))).refusal == (400, 50035)
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await local.page("POST", path, data=b"--x\r\nbroken", headers=broken)).refusal == (400, 50109)
