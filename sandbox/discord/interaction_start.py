"""Owns the start of an interaction: Discord's payload for it, its three seconds, and its failure.

A member's act (page API) comes in, INTERACTION_CREATE goes out over the gateway; `callbacks` takes the answer.
"""

import asyncio
from secrets import token_urlsafe

from sandbox.discord.core import Core
from sandbox.discord.interactions import AUTOCOMPLETE, Interaction
from sandbox.discord.permissions import (
    Permission,
    compute_app_permissions,
    compute_permissions,
    is_private_channel,
    send_permission,
)
from sandbox.discord.render import render_message
from sandbox.discord.render_places import render_channel, render_member, render_user
from sandbox.discord.state import Channel, Json, Message, MessageFlag

FAILURE_TEXT = "The application did not respond"
GUILD_CONTEXT, BOT_DM_CONTEXT, PRIVATE_CONTEXT = 0, 1, 2


def find_context(core: Core, channel: Channel) -> int:
    if channel.guild_id is not None:
        return GUILD_CONTEXT
    return BOT_DM_CONTEXT if core.bot_id in channel.recipients else PRIVATE_CONTEXT


def find_owners(core: Core, channel: Channel, user_id: str, integration_types: list[int]) -> dict[str, str]:
    """Who installed the app here: key "0" a server (or "0" in the bot's direct message), key "1" the user.

    Shape: empty when a command with these integration types cannot be used here at all.
    """
    owners: dict[str, str] = {}
    if 0 in integration_types:
        guild = core.world.guilds.get(channel.guild_id or "")
        if guild is not None and core.bot_id in guild.members:
            owners["0"] = guild.id
        elif guild is None and core.bot_id in channel.recipients:
            owners["0"] = "0"
    if 1 in integration_types and core.world.users[user_id].app_installed:
        owners["1"] = user_id
    return owners


def open_interaction(
    core: Core,
    kind: int,
    channel: Channel,
    user_id: str,
    owners: dict[str, str],
    *,
    metadata: Json | None = None,
) -> Interaction:
    """Make an interaction and start its three seconds; `send_interaction` tells the bot."""
    user_only = "0" not in owners
    allowed = compute_permissions(core.world, channel, user_id)
    needed = Permission.USE_EXTERNAL_APPS | send_permission(channel)
    interaction = Interaction(
        id=core.clock.make_id(),
        token=token_urlsafe(96),
        type=kind,
        user_id=user_id,
        channel_id=channel.id,
        guild_id=channel.guild_id,
        created_at_s=core.clock.now_s(),
        metadata={},
        user_install_only=user_only,
        must_be_ephemeral=user_only and channel.guild_id is not None and allowed & needed != needed,
    )
    interaction.metadata = {
        "id": interaction.id,
        "type": kind,
        "user": render_user(core.world.users[user_id]),
        "authorizing_integration_owners": owners,
        **(metadata or {}),
    }
    core.interactions.add(interaction)
    loop = asyncio.get_running_loop()
    wait_s = core.settings.acknowledge_within_s
    interaction.timer = loop.call_later(wait_s, fail, core, interaction)
    return interaction


def send_interaction(
    core: Core, interaction: Interaction, data: Json, *, locale: str, message: Message | None = None
) -> None:
    channel = core.world.channels[interaction.channel_id]
    name = str(data.get("name") or data.get("custom_id"))
    core.books.note_interaction(interaction.id, interaction.type, name, interaction.user_id, channel)
    payload = build_payload(core, interaction, channel, data, locale=locale)
    if message is not None:
        payload["message"] = render_message(core.world, core.cdn, message, core.bot_id)
    core.sessions.dispatch("INTERACTION_CREATE", lambda _: payload, guild_id=_find_shard_key(core, channel))


def _find_shard_key(core: Core, channel: Channel) -> str | None:
    guild = core.world.guilds.get(channel.guild_id or "")
    return guild.id if guild is not None and core.bot_id in guild.members else None


def build_payload(core: Core, interaction: Interaction, channel: Channel, data: Json, *, locale: str) -> Json:
    world, user_id = core.world, interaction.user_id
    permissions = compute_permissions(world, channel, user_id)
    shown = render_channel(world, channel, viewer_id=core.bot_id)
    shown.pop("permission_overwrites", None)
    payload: Json = {
        "id": interaction.id,
        "application_id": core.settings.application_id,
        "type": interaction.type,
        "token": interaction.token,
        "version": 1,
        "data": data,
        "channel_id": channel.id,
        "channel": shown if is_private_channel(channel) else shown | {"permissions": str(int(permissions))},
        "context": find_context(core, channel),
        "locale": locale,
        "app_permissions": str(int(compute_app_permissions(world, channel, core.bot_id, user_id))),
        "attachment_size_limit": core.settings.bot_file_bytes_max,
        "entitlements": [],
        "entitlement_sku_ids": [],
        "authorizing_integration_owners": interaction.metadata["authorizing_integration_owners"],
    }
    if channel.guild_id is None:
        return payload | {"user": render_user(world.users[user_id])}
    guild = world.guilds[channel.guild_id]
    member = render_member(guild.members[user_id], world.users[user_id])
    return payload | {
        "guild_id": guild.id,
        "guild": {"id": guild.id, "locale": guild.preferred_locale, "features": []},
        "guild_locale": guild.preferred_locale,
        "member": member | {"permissions": str(int(permissions))},
    }


def build_resolved(core: Core, channel: Channel, users: list[str]) -> Json:
    """Users as `resolved` names them, with their membership where there is a server."""
    resolved: Json = {"users": {one: render_user(core.world.users[one]) for one in users}}
    guild = core.world.guilds.get(channel.guild_id or "")
    if guild is not None:
        resolved["members"] = {}
        for one in users:
            if one in guild.members:
                bits = compute_permissions(core.world, channel, one)
                resolved["members"][one] = render_member(guild.members[one]) | {"permissions": str(int(bits))}
    return resolved


def expire(core: Core, interaction: Interaction) -> None:
    """Give an interaction up when its time to be acknowledged, or its token's, is over.

    Repeatable: looks at the clock itself, so timers and the moved clock may both call it.
    """
    age_s = core.clock.now_s() - interaction.created_at_s
    if not interaction.acknowledged and age_s >= core.settings.acknowledge_within_s:
        fail(core, interaction)
    elif interaction.acknowledged and age_s >= core.settings.interaction_token_s:
        _give_up_loading(core, interaction)


def fail(core: Core, interaction: Interaction) -> None:
    """Repeatable: an interaction that was answered, or failed already, stays as it is."""
    if interaction.acknowledged or interaction.failed:
        return
    interaction.failed = True
    core.books.note_failure(interaction.id)
    if interaction.choices is not None and not interaction.choices.done():
        interaction.choices.set_result([])
    if interaction.type != AUTOCOMPLETE:
        event = {"interaction_id": interaction.id, "message": FAILURE_TEXT}
        core.pages.send_to_actor(interaction.user_id, interaction.page_session, "INTERACTION_FAILED", event)


def _give_up_loading(core: Core, interaction: Interaction) -> None:
    message = core.world.find_message(interaction.channel_id, interaction.original_id or "")
    if message is None or not message.has(MessageFlag.LOADING):
        return
    message.flags &= ~int(MessageFlag.LOADING)
    message.interaction_failed = True
    shown = core.render_for_page(message, interaction.user_id)
    only = interaction.user_id if message.has(MessageFlag.EPHEMERAL) else None
    core.pages.send_to_channel(core.world, message.channel_id, "MESSAGE_UPDATE", shown, only=only)


def sweep(core: Core) -> None:
    """After the clock moved: everything that is over by now is given up."""
    for interaction in core.interactions:
        expire(core, interaction)
