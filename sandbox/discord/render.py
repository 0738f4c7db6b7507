"""Owns the JSON that leaves: users, members, channels, guilds and messages in Discord's shapes.

Reads the world, never changes it. Who may see a message's text is decided by `visibility`, not here.
"""

import copy

from sandbox.discord.cdn import Cdn
from sandbox.discord.components import collect_media
from sandbox.discord.permissions import can_view
from sandbox.discord.state import (
    Attachment,
    Channel,
    ChannelType,
    Guild,
    Json,
    Member,
    Message,
    MessageFlag,
    MessageType,
    Role,
    User,
    World,
)

HIDDEN_NAME, HIDDEN_FLAG = "___hidden___", 1 << 17


def render_user(user: User) -> Json:
    return {
        "id": user.id,
        "username": user.username,
        "global_name": user.global_name,
        "discriminator": "0000" if user.bot else "0",
        "avatar": None,
        "bot": user.bot,
        "public_flags": 0,
        "flags": 0,
    }


def render_member(member: Member, user: User | None = None) -> Json:
    body: Json = {
        "roles": list(member.roles),
        "nick": None,
        "avatar": None,
        "banner": None,
        "joined_at": member.joined_at,
        "premium_since": None,
        "communication_disabled_until": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
    }
    if user is not None:
        body["user"] = render_user(user)
    return body


def render_role(role: Role) -> Json:
    return {
        "id": role.id,
        "name": role.name,
        "permissions": str(int(role.permissions)),
        "color": role.color,
        "colors": {"primary_color": role.color, "secondary_color": None, "tertiary_color": None},
        "position": role.position,
        "hoist": False,
        "managed": role.managed_by is not None,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
        **({"tags": {"bot_id": role.managed_by}} if role.managed_by else {}),
    }


def render_channel(world: World, channel: Channel, *, viewer_id: str | None = None) -> Json:
    body: Json = {
        "id": channel.id,
        "type": int(channel.type),
        "last_message_id": channel.last_message_id,
        "flags": 0,
    }
    if channel.type is ChannelType.DM:
        others = [one for one in channel.recipients if one != viewer_id]
        body["recipients"] = [render_user(world.users[one]) for one in others]
        return body
    body |= {
        "guild_id": channel.guild_id,
        "name": channel.name,
        "parent_id": channel.parent_id,
        "rate_limit_per_user": 0,
    }
    if channel.is_thread:
        return body | {
            "owner_id": channel.owner_id,
            "message_count": len(world.messages.get(channel.id, ())),
            "member_count": 1,
            "total_message_sent": len(world.messages.get(channel.id, ())),
            "thread_metadata": {
                "archived": False,
                "auto_archive_duration": 10080,
                "archive_timestamp": "2026-01-01T00:00:00.000000+00:00",
                "create_timestamp": "2026-01-01T00:00:00.000000+00:00",
                "locked": False,
            },
        }
    return body | {
        "topic": channel.topic,
        "position": channel.position,
        "nsfw": False,
        "permission_overwrites": [
            {"id": one.id, "type": one.type, "allow": str(int(one.allow)), "deny": str(int(one.deny))}
            for one in channel.overwrites.values()
        ],
    }


def render_guild(guild: Guild) -> Json:
    return {
        "id": guild.id,
        "name": guild.name,
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "banner": None,
        "description": None,
        "owner_id": guild.owner_id,
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "verification_level": 0,
        "default_message_notifications": 1,
        "explicit_content_filter": 0,
        "roles": [render_role(role) for role in guild.roles.values()],
        "emojis": [],
        "stickers": [],
        "features": [],
        "mfa_level": 0,
        "nsfw_level": 0,
        "application_id": None,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "safety_alerts_channel_id": None,
        "vanity_url_code": None,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "preferred_locale": "en-US",
        "max_members": 500000,
        "incidents_data": None,
    }


def render_channel_for_bot(world: World, channel: Channel, bot_id: str) -> Json:
    """A server's channel as the bot's gateway sends it: one that the bot cannot view keeps only its place.

    Source: Discord change log, in force since 2026-11-16.
    """
    body = render_channel(world, channel)
    if can_view(world, channel, bot_id):
        return body
    return body | {"name": HIDDEN_NAME, "topic": None, "flags": HIDDEN_FLAG, "last_message_id": None}


def render_guild_create(world: World, guild: Guild, bot_id: str) -> Json:
    channels = [one for one in world.channels.values() if one.guild_id == guild.id]
    threads = [one for one in channels if one.is_thread and can_view(world, one, bot_id)]
    own = guild.members[bot_id]
    return render_guild(guild) | {
        "joined_at": own.joined_at,
        "large": False,
        "unavailable": False,
        "member_count": len(guild.members),
        "members": [render_member(own, world.users[bot_id])],
        "channels": [render_channel_for_bot(world, one, bot_id) for one in channels if not one.is_thread],
        "threads": [render_channel(world, one) for one in threads],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def render_attachment(cdn: Cdn, attachment: Attachment) -> Json:
    url = cdn.build_url(attachment)
    body: Json = {
        "id": attachment.id,
        "filename": attachment.filename,
        "size": attachment.size_bytes,
        "url": url,
        "proxy_url": url,
        "content_type": attachment.content_type,
        "content_scan_version": 0,
    }
    if attachment.width is not None:
        body |= {"width": attachment.width, "height": attachment.height}
        body |= {"placeholder": "", "placeholder_version": 1}
    if attachment.description is not None:
        body["description"] = attachment.description
    if attachment.ephemeral:
        body["ephemeral"] = True
    return body


def _resolve_media(cdn: Cdn, message: Message, roots: list[Json]) -> set[str]:
    """Fill the media items that point at attachments; answers the ids of those attachments."""
    by_name = {one.filename: one for one in message.attachments}
    used = set()
    for item in collect_media(roots):
        attachment = by_name.get(str(item["url"]).removeprefix("attachment://"))
        if not str(item["url"]).startswith("attachment://"):
            item.setdefault("proxy_url", item["url"])
            continue
        if attachment is None:
            continue
        used.add(attachment.id)
        url = cdn.build_url(attachment)
        item |= {
            "url": url,
            "proxy_url": url,
            "width": attachment.width,
            "height": attachment.height,
            "content_type": attachment.content_type,
            "attachment_id": attachment.id,
            "loading_state": 2,
            "placeholder": "",
            "placeholder_version": 1,
            "flags": 0,
        }
    return used


def render_message(world: World, cdn: Cdn, message: Message, viewer_id: str | None) -> Json:
    """A message as its reader gets it, text included."""
    components = copy.deepcopy(message.components)
    embeds = copy.deepcopy(message.embeds)
    used = _resolve_media(cdn, message, components) | _resolve_media(cdn, message, embeds)
    body: Json = {
        "id": message.id,
        "channel_id": message.channel_id,
        "type": int(message.type),
        "content": message.content,
        "author": render_user(world.users[message.author_id]),
        "timestamp": message.timestamp,
        "edited_timestamp": message.edited_timestamp,
        "tts": message.tts,
        "flags": message.flags,
        "pinned": False,
        "mention_everyone": message.mention_everyone,
        "mentions": [render_user(world.users[one]) for one in message.mentions],
        "mention_roles": list(message.mention_roles),
        "attachments": [render_attachment(cdn, one) for one in message.attachments if one.id not in used],
        "embeds": embeds,
        "components": components,
    }
    if message.reactions:
        body["reactions"] = [
            _render_reaction(emoji, users, viewer_id) for emoji, users in message.reactions.items()
        ]
    if message.reference is not None:
        body["message_reference"] = {
            "type": 0,
            "message_id": message.reference.message_id,
            "channel_id": message.reference.channel_id,
            **({"guild_id": message.reference.guild_id} if message.reference.guild_id else {}),
        }
    if message.interaction_metadata is not None:
        body["interaction_metadata"] = copy.deepcopy(message.interaction_metadata)
    if world.users[message.author_id].bot:
        body["application_id"] = message.author_id
    if message.interaction_id is not None:
        body["webhook_id"] = message.author_id
    return body


def _render_reaction(emoji: str, users: list[str], viewer_id: str | None) -> Json:
    return {
        "emoji": {"id": None, "name": emoji},
        "count": len(users),
        "count_details": {"burst": 0, "normal": len(users)},
        "burst_colors": [],
        "me": viewer_id in users,
        "me_burst": False,
        "burst_me": False,
    }


def is_reply(message: Message) -> bool:
    return message.type is MessageType.REPLY and message.reference is not None


def is_hidden_from(message: Message, user_id: str) -> bool:
    """An ephemeral message exists for one user only."""
    return message.has(MessageFlag.EPHEMERAL) and message.ephemeral_to != user_id
