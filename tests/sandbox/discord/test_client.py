"""The unmodified discord.py client lives here as it does with Discord: log in, sync, answer, resume."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import discord
import pytest
import yarl
from discord import app_commands, ui

from tests.sandbox.discord.support import PIXEL, Json, Local, serve_local

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WAIT_S = 30.0


class Bot(discord.Client):
    """A client that keeps what happened to it in a queue."""

    def __init__(self) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        super().__init__(
            intents=intents, guild_ready_timeout=0.01, allowed_mentions=discord.AllowedMentions.none()
        )
        self.tree = app_commands.CommandTree(self)
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.synced: list[app_commands.AppCommand] = []

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Again)
        self.synced = await self.tree.sync()

    async def on_message(self, message: discord.Message) -> None:
        if self.user is not None and message.author.id != self.user.id:
            await self.heard.put(message)

    async def on_resumed(self) -> None:
        await self.heard.put("resumed")

    async def hear(self) -> Any:
        return await asyncio.wait_for(self.heard.get(), WAIT_S)


class Again(ui.DynamicItem[ui.Button[Any]], template=r"v1:again:(?P<job>\d+)"):
    def __init__(self, job: str) -> None:
        self.job = job
        super().__init__(ui.Button(label="Again", custom_id=f"v1:again:{job}"))

    @classmethod
    async def from_custom_id(cls, _: Any, __: Any, match: Any, /) -> Again:
        return cls(match["job"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_modal(Window(self.job))


class Window(ui.Modal, title="Edit"):
    prompt: ui.Label[Any] = ui.Label(text="Prompt", component=ui.TextInput(max_length=100))
    photo: ui.Label[Any] = ui.Label(text="Photo", component=ui.FileUpload(required=False, min_values=0))

    def __init__(self, job: str) -> None:
        super().__init__(timeout=60)
        self.job = job

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        assert isinstance(self.prompt.component, ui.TextInput)
        assert isinstance(self.photo.component, ui.FileUpload)
        files = [await one.read() for one in self.photo.component.values]
        await interaction.response.send_message(
            f"{self.job}: {self.prompt.component.value} {len(files)}", ephemeral=True
        )
        await interaction.client.heard.put(("submitted", interaction.message, files))


def picture_view(job: str) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    box: ui.Container[Any] = ui.Container(accent_colour=0xE6739F)
    box.add_item(ui.TextDisplay("stage lights"))
    gallery: ui.MediaGallery[Any] = ui.MediaGallery()
    gallery.add_item(media="attachment://a.png", description="a stage")
    box.add_item(gallery)
    view.add_item(box)
    row: ui.ActionRow[Any] = ui.ActionRow()
    row.add_item(Again(job))
    view.add_item(row)
    return view


def add_commands(bot: Bot) -> None:
    @bot.tree.command(description="Make a picture")
    @app_commands.choices(steps=[app_commands.Choice(name=str(one), value=one) for one in (20, 30)])
    async def imagine(
        interaction: discord.Interaction[Bot], prompt: app_commands.Range[str, 1, 500], steps: int = 20
    ) -> None:
        deferred = await interaction.response.defer(ephemeral=True)
        assert deferred is not None
        assert deferred.is_thinking()
        edited = await interaction.edit_original_response(content=f"drawing {prompt} {steps}")
        assert deferred.message_id == edited.id
        file = discord.File(io.BytesIO(PIXEL), "a.png", description="a stage")
        channel = interaction.channel
        assert isinstance(channel, discord.TextChannel)
        posted = await channel.send(view=picture_view("7"), file=file, nonce="job-7")
        again = discord.File(io.BytesIO(PIXEL), "a.png", description="a stage")
        assert (await channel.send(view=picture_view("7"), file=again, nonce="job-7")).id == posted.id
        await interaction.edit_original_response(content="done")
        await bot.heard.put((interaction, edited, posted))

    @imagine.autocomplete("prompt")
    async def suggest(_: discord.Interaction[Bot], current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=f"{current} lights", value=f"{current} lights")]

    @bot.tree.context_menu(name="Edit image")
    async def edit(interaction: discord.Interaction[Bot], message: discord.Message) -> None:
        await interaction.response.send_message("ok", ephemeral=True)
        await bot.heard.put(message)


@asynccontextmanager
async def logged_in(local: Local, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    monkeypatch.setattr(discord.http.Route, "BASE", f"{local.base}/api/v10")
    address = yarl.URL(local.base.replace("http", "ws") + "/gateway")
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", address)
    bot = Bot()
    add_commands(bot)
    await bot.login(local.core.settings.bot_token)
    running = asyncio.create_task(bot.connect())
    try:
        await asyncio.wait_for(bot.wait_until_ready(), WAIT_S)
        yield bot
    finally:
        await bot.close()
        await running


@pytest.fixture
async def bot(local: Local, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    async with logged_in(local, monkeypatch) as running:
        yield running


async def imagine(local: Local, bot: Bot) -> Any:
    command = next(one for one in bot.synced if one.name == "imagine")
    options = [{"name": "prompt", "value": "stage"}, {"name": "steps", "value": 30}]
    answer = await local.interact({"type": 2, "command_id": str(command.id), "options": options})
    assert answer.status == 202, answer.body
    return await bot.hear()


async def test_it_logs_in_and_knows_its_server(local: Local, bot: Bot) -> None:
    [guild] = bot.guilds
    assert guild.name == "Starlight Fan Cafe"
    general = guild.get_channel(int(local.channel()))
    closed = guild.get_channel(int(local.channel("announcements")))
    assert isinstance(general, discord.TextChannel)
    assert isinstance(closed, discord.TextChannel)
    assert general.permissions_for(guild.me).attach_files
    assert not closed.permissions_for(guild.me).send_messages
    assert guild.get_thread(int(local.channel("stage outfits"))) is not None


async def test_it_syncs_its_commands(local: Local, bot: Bot) -> None:
    assert sorted(one.name for one in bot.synced) == ["Edit image", "imagine"]
    fetched = await bot.tree.fetch_commands()
    assert [one.id for one in fetched] == [one.id for one in bot.synced]
    option = next(one for one in fetched if one.name == "imagine").options[1]
    assert isinstance(option, app_commands.Argument)
    assert [one.value for one in option.choices] == [20, 30]


async def test_a_slash_command_ends_in_a_posted_picture(local: Local, bot: Bot) -> None:
    interaction, edited, posted = await imagine(local, bot)
    assert (edited.content, edited.flags.ephemeral) == ("drawing stage 30", True)
    assert edited.interaction_metadata.user.name == "mina_fan"
    assert interaction.permissions.send_messages
    assert interaction.app_permissions.attach_files
    assert interaction.filesize_limit == 20 * 1024 * 1024
    assert interaction.is_guild_integration()
    assert posted.flags.components_v2
    assert posted.attachments == []
    media = posted.components[0].children[1].items[0].media
    assert (media.width, media.attachment_id is not None) == (1, True)
    seen = (await local.page("GET", f"channels/{local.channel()}/messages")).body["messages"]
    assert [one["content"] for one in seen] == ["done", ""]


async def test_a_button_opens_a_window_and_its_answer_comes_back(local: Local, bot: Bot) -> None:
    _, _, posted = await imagine(local, bot)
    component = {"custom_id": "v1:again:7", "component_type": 2}
    async with local.events() as events:
        await local.interact({"type": 3, "message_id": str(posted.id), "component": component})
        modal = await events.wait_for("INTERACTION_MODAL")
        fields = [one["component"]["custom_id"] for one in modal["components"]]
        answers: list[Json] = [
            {"type": 18, "component": {"custom_id": fields[0], "value": "bluer"}},
            {"type": 18, "component": {"custom_id": fields[1], "values": [0]}},
        ]
        body = {"type": 5, "modal_id": modal["modal_id"], "components": answers}
        assert (await local.interact(body, ("b.png", PIXEL))).status == 202
        what, message, files = await bot.hear()
        assert (what, message.id, files) == ("submitted", posted.id, [PIXEL])
        event = await events.wait_for("MESSAGE_CREATE")
        assert (event["content"], event["ephemeral_to"]) == ("7: bluer 1", local.user())


async def test_autocomplete_is_answered(local: Local, bot: Bot) -> None:
    command = next(one for one in bot.synced if one.name == "imagine")
    options = [{"name": "prompt", "value": "st", "focused": True}]
    answer = await local.interact({"type": 4, "command_id": str(command.id), "options": options})
    assert answer.body["choices"] == [{"name": "st lights", "value": "st lights"}]


async def test_a_menu_shows_its_target(local: Local, bot: Bot) -> None:
    said = await local.say("a photo", ("a.png", PIXEL), act="neon_otter")
    assert (await bot.hear()).content == ""
    command = next(one for one in bot.synced if one.name == "Edit image")
    await local.interact({"type": 2, "command_id": str(command.id), "target_id": said.body["id"]})
    message = await bot.hear()
    assert (message.content, await message.attachments[0].read()) == ("a photo", PIXEL)


async def test_replies_are_heard_with_the_ping_and_noticed_without(local: Local, bot: Bot) -> None:
    _, _, posted = await imagine(local, bot)
    await local.say("bluer", reply_to=str(posted.id))
    heard = await bot.hear()
    assert heard.content == "bluer"
    assert heard.reference.message_id == posted.id
    assert heard.reference.resolved.components
    assert bot.user in heard.mentions
    await local.say("greener", reply_to=str(posted.id), ping=False)
    hidden = await bot.hear()
    assert (hidden.content, hidden.mentions, hidden.type) == ("", [], discord.MessageType.reply)
    assert hidden.reference.message_id == posted.id


async def test_a_direct_message_arrives_and_is_answered(local: Local, bot: Bot) -> None:
    await local.say("hello", channel=local.direct())
    heard = await bot.hear()
    assert isinstance(heard.channel, discord.DMChannel)
    await heard.reply("hi", mention_author=False)
    seen = (await local.page("GET", f"channels/{local.direct()}/messages")).body["messages"]
    assert [one["content"] for one in seen] == ["hello", "hi"]
    user = await bot.fetch_user(int(local.user("neon_otter")))
    await user.send("hello you")


async def test_a_lost_connection_is_resumed(local: Local, bot: Bot) -> None:
    await local.control("gateway", {"action": "reconnect"})
    assert await bot.hear() == "resumed"
    await local.say("live", channel=local.direct())
    assert (await bot.hear()).content == "live"


async def test_refusals_become_the_clients_exceptions(local: Local, bot: Bot) -> None:
    closed = bot.get_partial_messageable(int(local.channel("announcements")))
    with pytest.raises(discord.Forbidden) as forbidden:
        await closed.send("x")
    assert forbidden.value.code == 50013
    with pytest.raises(discord.NotFound) as missing:
        await bot.fetch_channel(1)
    assert missing.value.code == 10003
    open_channel = bot.get_partial_messageable(int(local.channel()))
    with pytest.raises(discord.HTTPException, match="In content: Must be 2000 or fewer in length") as invalid:
        await open_channel.send("x" * 2001)
    assert invalid.value.code == 50035


async def test_a_rate_limit_is_waited_out(local: Local, bot: Bot) -> None:
    await local.control("fault", {"path_regex": "messages", "status": 429, "retry_after_s": 0.05})
    channel = bot.get_partial_messageable(int(local.channel()))
    assert (await channel.send("patient")).content == "patient"


async def test_history_edits_reactions_and_deletion_are_understood(local: Local, bot: Bot) -> None:
    channel = bot.get_channel(int(local.channel()))
    assert isinstance(channel, discord.TextChannel)
    made = await channel.send("one", file=discord.File(io.BytesIO(PIXEL), "a.png"))
    await made.add_reaction("\u2b50")
    partial = channel.get_partial_message(made.id)
    edited = await partial.edit(content="two", attachments=[made.attachments[0]])
    assert (edited.content, len(edited.attachments)) == ("two", 1)
    [seen] = [one async for one in channel.history(limit=5)]
    assert (seen.content, str(seen.reactions[0].emoji)) == ("two", "\u2b50")
    async with channel.typing():
        await seen.delete()
    assert [one async for one in channel.history()] == []


async def test_a_privileged_intent_is_refused(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discord.http.Route, "BASE", f"{local.base}/api/v10")
    address = yarl.URL(local.base.replace("http", "ws") + "/gateway")
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", address)
    intents = discord.Intents(guilds=True, message_content=True)
    async with discord.Client(intents=intents) as client:
        await client.login(local.core.settings.bot_token)
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await asyncio.wait_for(client.connect(), WAIT_S)


async def test_a_sharded_client_finds_its_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve_local() as local:
        monkeypatch.setattr(discord.http.Route, "BASE", f"{local.base}/api/v10")
        client = discord.AutoShardedClient(intents=discord.Intents(guilds=True), guild_ready_timeout=0.01)
        await client.login(local.core.settings.bot_token)
        running = asyncio.create_task(client.connect())
        try:
            await asyncio.wait_for(client.wait_until_ready(), WAIT_S)
            assert [one.name for one in client.guilds] == ["Starlight Fan Cafe"]
        finally:
            await client.close()
            await running
