"""Owns the changes of servers: their names, members, roles and channels, each with the events it causes.

What an administrator does in Discord's own windows; here the control endpoints ask for it. Who gets an event
is decided by `sessions`.
Source: Discord developer docs, "Gateway Events" and "Gateway" (list of intents), read 2026-11-23.
"""

from sandbox.discord.core import Core
from sandbox.discord.render_places import (
    render_channel,
    render_channel_for_bot,
    render_guild,
    render_guild_create,
    render_member,
    render_role,
    render_user,
)
from sandbox.discord.sessions import Intent
from sandbox.discord.state import Channel, ChannelType, Guild, Json, Member, Role, World


def tell_bot(core: Core, guild: Guild, event: str, data: Json, intents: int = Intent.GUILDS) -> None:
    """Send an event of a server to the bot, if it is in there."""
    if core.bot_id in guild.members:
        core.sessions.dispatch(event, lambda _: data, guild_id=guild.id, intents=intents)


def announce_guild(core: Core, guild: Guild) -> None:
    tell_bot(core, guild, "GUILD_UPDATE", render_guild(guild))


def announce_channel(core: Core, channel: Channel, event: str = "CHANNEL_UPDATE") -> None:
    guild = core.world.guilds[channel.guild_id or ""]
    tell_bot(core, guild, event, render_channel_for_bot(core.world, channel, core.bot_id))


def announce_role(core: Core, guild: Guild, role: Role, *, is_new: bool) -> None:
    event = "GUILD_ROLE_CREATE" if is_new else "GUILD_ROLE_UPDATE"
    tell_bot(core, guild, event, {"guild_id": guild.id, "role": render_role(role)})


def announce_member(core: Core, guild: Guild, member: Member, *, is_new: bool) -> None:
    """The bot's own changes reach it always, those of others with the members intent only."""
    body = render_member(member, core.world.users[member.user_id]) | {"guild_id": guild.id}
    intents = Intent.GUILD_MEMBERS
    if member.user_id == core.bot_id:
        intents |= Intent.GUILDS
    tell_bot(core, guild, "GUILD_MEMBER_ADD" if is_new else "GUILD_MEMBER_UPDATE", body, intents)


def remove_member(core: Core, guild: Guild, user_id: str) -> None:
    """Repeatable: somebody who is no member stays none; the bot leaves as a kick makes it leave."""
    if user_id == core.bot_id:
        set_bot_membership(core, guild, member=False)
        return
    if guild.members.pop(user_id, None) is not None:
        data = {"guild_id": guild.id, "user": render_user(core.world.users[user_id])}
        tell_bot(core, guild, "GUILD_MEMBER_REMOVE", data, Intent.GUILD_MEMBERS)


def set_bot_membership(core: Core, guild: Guild, *, member: bool) -> None:
    """Let the bot in, or out; GUILD_DELETE then lacks `unavailable`, which is how a kick differs from an outage.

    Repeatable: nothing is told where nothing changes.
    """
    bot_id = core.bot_id
    if member == (bot_id in guild.members):
        return
    if member:
        roles = [role.id for role in guild.roles.values() if role.managed_by == bot_id]
        guild.members[bot_id] = Member(user_id=bot_id, roles=roles, joined_at=core.clock.now_iso())
        tell_bot(core, guild, "GUILD_CREATE", render_guild_create(core.world, guild, bot_id))
        return
    tell_bot(core, guild, "GUILD_DELETE", {"id": guild.id})
    del guild.members[bot_id]


def delete_role(core: Core, guild: Guild, role: Role) -> None:
    """A role goes, from its holders and from the overwrites of channels too."""
    del guild.roles[role.id]
    for member in guild.members.values():
        member.roles = [one for one in member.roles if one != role.id]
    tell_bot(core, guild, "GUILD_ROLE_DELETE", {"guild_id": guild.id, "role_id": role.id})
    for channel in _channels_of(core, guild):
        if channel.overwrites.pop(role.id, None) is not None:
            announce_channel(core, channel)


def delete_channel(core: Core, channel: Channel) -> None:
    """A channel goes with its threads, messages and interactions; what stood in a category stands alone then."""
    guild = core.world.guilds[channel.guild_id or ""]
    event = "THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE"
    gone = render_channel(core.world, channel)
    inside = [one for one in _channels_of(core, guild) if one.parent_id == channel.id]
    for one in (channel, *(child for child in inside if child.is_thread)):
        for message in core.world.list_messages(one.id):
            core.cdn.forget(message.attachments)
        core.interactions.forget_channel(one.id)
        core.books.note_deletion(core.world.messages.pop(one.id, ()))
        del core.world.channels[one.id]
    tell_bot(core, guild, event, gone)
    for child in inside:
        if not child.is_thread:
            child.parent_id = None
            announce_channel(core, child)


def _channels_of(core: Core, guild: Guild) -> list[Channel]:
    return [one for one in core.world.channels.values() if one.guild_id == guild.id]


def announce_reset(core: Core, before: World) -> None:
    """Tell the bot what a new start changed in the servers: those it left or joined, and all it may have cached."""
    for guild in core.world.guilds.values():
        was = before.guilds[guild.id]
        is_member, was_member = core.bot_id in guild.members, core.bot_id in was.members
        if is_member and not was_member:
            tell_bot(core, guild, "GUILD_CREATE", render_guild_create(core.world, guild, core.bot_id))
        elif was_member and not is_member:
            tell_bot(core, was, "GUILD_DELETE", {"id": guild.id})
        elif is_member:
            _announce_changes(core, guild, was)
            _announce_other_channels(core, guild, before)
    for guild_id in before.guilds.keys() - core.world.guilds.keys():
        tell_bot(core, before.guilds[guild_id], "GUILD_DELETE", {"id": guild_id})
    for channel in core.world.channels.values():
        if channel.type is ChannelType.TEXT:
            announce_channel(core, channel)


def _announce_changes(core: Core, guild: Guild, was: Guild) -> None:
    if render_guild(guild) != render_guild(was):
        announce_guild(core, guild)
    for role in guild.roles.values():
        if role != was.roles.get(role.id):
            announce_role(core, guild, role, is_new=role.id not in was.roles)
    for role_id in was.roles.keys() - guild.roles.keys():
        tell_bot(core, guild, "GUILD_ROLE_DELETE", {"guild_id": guild.id, "role_id": role_id})
    if guild.members[core.bot_id] != was.members[core.bot_id]:
        announce_member(core, guild, guild.members[core.bot_id], is_new=False)


def _announce_other_channels(core: Core, guild: Guild, before: World) -> None:
    now = {one.id for one in _channels_of(core, guild)}
    then = {one.id: one for one in before.channels.values() if one.guild_id == guild.id}
    for one in then.keys() - now:
        tell_bot(core, guild, "CHANNEL_DELETE", render_channel(before, then[one]))
    for channel_id in sorted(now - then.keys()):
        announce_channel(core, core.world.channels[channel_id], "CHANNEL_CREATE")
