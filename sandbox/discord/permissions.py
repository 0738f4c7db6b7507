"""Owns Discord's permission arithmetic: roles, overwrites, threads, direct messages.

Pure: reads the world, changes nothing. Routes ask it before they act.
Source: Discord developer docs, "Permissions", read 2026-11-22.
"""

from enum import IntFlag

from sandbox.discord.errors import missing_access, missing_permissions
from sandbox.discord.state import Channel, ChannelType, Guild, World


class Permission(IntFlag):
    """The bits this server knows; any other bit is carried along untouched."""

    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    CHANGE_NICKNAME = 1 << 26
    MANAGE_ROLES = 1 << 28
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    SEND_MESSAGES_IN_THREADS = 1 << 38
    USE_EXTERNAL_APPS = 1 << 50


ALL = (1 << 53) - 1
ORDINARY = (
    Permission.ADD_REACTIONS
    | Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.CHANGE_NICKNAME
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.USE_EXTERNAL_APPS
)
IN_DIRECT_MESSAGE = (
    Permission.ADD_REACTIONS
    | Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.MENTION_EVERYONE
)


def compute_guild_permissions(guild: Guild, user_id: str) -> int:
    member = guild.members.get(user_id)
    if member is None:
        return 0
    if guild.owner_id == user_id:
        return ALL
    bits = guild.roles[guild.id].permissions
    for role_id in member.roles:
        bits |= guild.roles[role_id].permissions
    return ALL if bits & Permission.ADMINISTRATOR else bits


def compute_permissions(world: World, channel: Channel, user_id: str) -> int:
    """What a user may do in a channel, overwrites and the consequences of a missing View Channel included."""
    if channel.guild_id is None:
        return int(IN_DIRECT_MESSAGE) if user_id in channel.recipients else 0
    guild = world.guilds[channel.guild_id]
    bits = compute_guild_permissions(guild, user_id)
    if bits == ALL or user_id not in guild.members:
        return bits
    source = world.channels[channel.parent_id] if channel.is_thread and channel.parent_id else channel
    bits = _apply_overwrites(bits, source, guild, user_id)
    if not bits & Permission.VIEW_CHANNEL:
        return 0
    send = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    if not bits & send:
        dependent = Permission.ATTACH_FILES | Permission.EMBED_LINKS | Permission.MENTION_EVERYONE
        bits &= ~int(dependent)
    return bits


def _apply_overwrites(bits: int, channel: Channel, guild: Guild, user_id: str) -> int:
    everyone = channel.overwrites.get(guild.id)
    if everyone is not None:
        bits = bits & ~everyone.deny | everyone.allow
    deny = allow = 0
    for role_id in guild.members[user_id].roles:
        overwrite = channel.overwrites.get(role_id)
        if overwrite is not None:
            deny |= overwrite.deny
            allow |= overwrite.allow
    bits = bits & ~deny | allow
    own = channel.overwrites.get(user_id)
    return bits if own is None else bits & ~own.deny | own.allow


def compute_app_permissions(world: World, channel: Channel, bot_id: str, user_id: str) -> int:
    """What an interaction reports as `app_permissions`.

    Source: Discord developer docs, Interaction Object: in direct messages a fixed set; where the bot is no
    member, what the user's own permissions leave of that set.
    """
    fixed = Permission.ATTACH_FILES | Permission.EMBED_LINKS | Permission.MENTION_EVERYONE
    if channel.guild_id is None:
        if bot_id in channel.recipients:
            fixed |= Permission.USE_EXTERNAL_EMOJIS
        return int(fixed)
    if bot_id in world.guilds[channel.guild_id].members:
        return compute_permissions(world, channel, bot_id)
    return int(fixed | Permission.USE_EXTERNAL_EMOJIS) & compute_permissions(world, channel, user_id)


def can_view(world: World, channel: Channel, user_id: str) -> bool:
    return bool(compute_permissions(world, channel, user_id) & Permission.VIEW_CHANNEL)


def send_permission(channel: Channel) -> Permission:
    return Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES


def require_permissions(world: World, channel: Channel, user_id: str, *needed: Permission) -> None:
    """Refuse an act in a channel.

    Raises: ApiError 50001 without View Channel, 50013 without any other needed permission.
    """
    bits = compute_permissions(world, channel, user_id)
    if not bits & Permission.VIEW_CHANNEL:
        raise missing_access()
    if any(not bits & permission for permission in needed):
        raise missing_permissions()


def is_moderator(guild: Guild, user_id: str) -> bool:
    needed = Permission.MANAGE_GUILD | Permission.MANAGE_MESSAGES
    return compute_guild_permissions(guild, user_id) & needed == needed


def is_private_channel(channel: Channel) -> bool:
    return channel.type in (ChannelType.DM, ChannelType.GROUP_DM)
