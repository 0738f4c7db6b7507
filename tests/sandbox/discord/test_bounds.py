"""Every store, queue and body has an end: what is beyond it goes, or is refused."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sandbox.discord.cdn import clean_filename, inspect_bytes
from sandbox.discord.clock import Clock
from sandbox.discord.interactions import Interaction, Interactions, Modal
from sandbox.discord.registry import Registry
from sandbox.discord.sessions import Session, Sessions
from sandbox.discord.settings import DiscordSettings
from tests.sandbox.discord.support import Local, serve_local

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def interaction(number: int) -> Interaction:
    return Interaction(
        id=str(number), type=2, user_id="1", channel_id="1", guild_id=None, created_at_s=0, metadata={}
    )


def test_the_oldest_interactions_and_windows_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.discord.interactions.INTERACTIONS_MAX", 2)
    monkeypatch.setattr("sandbox.discord.interactions.MODALS_MAX", 2)
    kept, all_of_them = Interactions(), [interaction(number) for number in range(3)]
    for one in all_of_them:
        kept.add(one)
        kept.open_modal(Modal(id=one.id, interaction=one, custom_id="c", components=[]))
    assert [one.id for one in kept] == ["1", "2"]
    assert kept.find("0", all_of_them[0].token) is None
    assert kept.find_modal("0", "1") is None
    assert kept.find_modal("2", "1") is not None


def test_the_oldest_sessions_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.discord.sessions.SESSIONS_MAX", 2)
    sessions = Sessions(DiscordSettings(), Clock())
    made = [Session(intents=0, shard=0, shard_count=1) for _ in range(3)]
    for one in made:
        sessions.add(one)
    assert [sessions.find(one.id) for one in made] == [None, made[1], made[2]]


async def test_stored_files_have_an_end() -> None:
    async with serve_local(stored_bytes_max=2500) as local:
        urls = []
        for name in ("a.bin", "b.bin", "c.bin"):
            made = await local.post({}, files=((name, b"x" * 1000),))
            urls.append(made.body["attachments"][0]["url"])
        answers = []
        for url in urls:
            async with local.session.get(url) as response:
                answers.append(response.status)
        assert answers == [404, 200, 200]


async def test_a_body_without_a_length_is_counted_while_it_is_read() -> None:
    async def endless(first: bytes) -> AsyncIterator[bytes]:
        yield first
        for _ in range(100):
            yield b" " * 100

    async with serve_local(bot_request_bytes_max=2000, bot_file_bytes_max=1500) as local:
        path = f"/channels/{local.channel()}/messages"
        assert (await local.bot("POST", path, data=endless(b"{"))).refusal == (413, 40005)
        part = b'--x\r\nContent-Disposition: form-data; name="payload_json"\r\n\r\n'
        headers = {
            "Authorization": f"Bot {local.core.settings.bot_token}",
            "Content-Type": "multipart/form-data; boundary=x",
        }
        answer = await local.request("POST", f"/api/v10{path}", data=endless(part), headers=headers)
        assert answer.refusal == (413, 40005)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("photo.png", "photo.png"),
        ("my photo (1).png", "my_photo_1.png"),
        ("../../etc/passwd", "passwd"),
        (".hidden", "hidden"),
        ("사진", "unknown"),
        ("x" * 300 + ".png", "x" * 196 + ".png"),
    ],
)
def test_file_names_keep_what_discord_keeps(given: str, kept: str) -> None:
    assert clean_filename(given) == kept


def test_a_huge_picture_is_measured_by_its_header_alone() -> None:
    data = io.BytesIO()
    Image.new("1", (12_000, 9_000)).save(data, "PNG")
    assert inspect_bytes("a.bin", data.getvalue()) == ("image/png", 12_000, 9_000)
    assert inspect_bytes("a.png", b"no picture") == ("image/png", None, None)


def test_commands_of_a_server_may_be_made_anew_the_next_day() -> None:
    registry, clock = Registry(), Clock()
    body: dict[str, Any] = {"type": 1, "name": "a"}
    stored, is_new = registry.put("1", body, clock)
    assert (is_new, registry.find(stored["id"])) == (True, stored)
    assert registry.find("nothing") is None


async def test_typing_in_private_and_menus_in_private_stay_private(local: Local) -> None:
    async with local.online(intents=1 | 1 << 14) as gateway:
        await local.page("POST", f"channels/{local.direct()}/typing")
        event = await asyncio.wait_for(gateway.wait_for("TYPING_START"), 5)
        assert "guild_id" not in event
    lilac = local.core.world.find_direct_channel(local.user("mina_fan"), local.user("lilac_sky"))
    assert lilac is not None
    said = await local.say("between us", channel=lilac.id)
    path = f"channels/{lilac.id}/messages/{said.body['id']}"
    assert (await local.page("GET", f"channels/{lilac.id}/messages", act="neon_otter")).refusal == (
        404,
        10003,
    )
    assert (await local.page("DELETE", path, act="lilac_sky")).refusal == (403, 50003)
    assert (await local.bot("GET", f"/channels/{lilac.id}")).refusal == (403, 50001)
