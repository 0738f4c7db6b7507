"""Owns the JSON of users, members, roles, channels and servers in Discord's shapes. Reads, never changes."""

from sandbox.discord.permissions import can_view
from sandbox.discord.state import Channel, ChannelType, Guild, Json, Member, Role, User, World

HIDDEN_NAME, HIDDEN_FLAG = "___hidden___", 1 << 17


def render_user(user: User) -> Json:
    return {
        "id": user.id,
        "username": user.username,
        "global_name": user.global_name,
        "discriminator": "0000" if user.bot else "0",
        "avatar": None,
        "primary_guild": None,
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
        "nsfw": False,
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
        "preferred_locale": guild.preferred_locale,
        "max_members": 500_000,
        "max_presences": None,
        "max_video_channel_users": 25,
        "max_stage_video_channel_users": 50,
        "widget_enabled": False,
        "widget_channel_id": None,
        "home_header": None,
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
