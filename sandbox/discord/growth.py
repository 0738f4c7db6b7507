"""Owns the growth of the world on demand: more servers with the bot in them, and guests who are in several of them.

Names and ids come from numbers alone, so that the same request finds the same world in every process. Servers
differ in the time their ids tell, and so spread over the shards.
"""

from sandbox.discord.clock import format_iso, make_snowflake
from sandbox.discord.core import Core
from sandbox.discord.permissions import ORDINARY
from sandbox.discord.places import announce_member, tell_bot
from sandbox.discord.render_places import render_guild_create
from sandbox.discord.state import Channel, ChannelType, Guild, Json, Member, Role, User
from sandbox.discord.world import FOUNDED_AT_S, find_user, fixed_id

SERVERS_MAX, MEMBERS_MAX, CHANNELS_MAX = 200, 2000, 10
GUILD_SERIAL, ROLE_SERIAL, CHANNEL_SERIAL, USER_SERIAL, DIRECT_SERIAL = 10_000, 11_000, 20_000, 50_000, 60_000
SERVERS_PER_MEMBER = 3


def grow_world(core: Core, *, servers: int, members: int, channels: int) -> Json:
    """See to so many further servers, channels in each, and guests; what is there already stays.

    Repeatable: a second call with the same numbers changes nothing.
    Shape: answers all of them, those of earlier calls too.
    """
    before = set(core.world.guilds)
    guilds = [_ensure_guild(core, number, channels) for number in range(servers)]
    users = [_ensure_guest(core, number) for number in range(members)]
    for number, user in enumerate(users if guilds else []):
        for turn in range(SERVERS_PER_MEMBER):
            guild = guilds[(number + turn * (number // servers + turn)) % servers]
            _join(core, guild, user, tells=guild.id in before)
    for guild in guilds:
        if guild.id not in before:
            tell_bot(core, guild, "GUILD_CREATE", render_guild_create(core.world, guild, core.bot_id))
    return {
        "guilds": [_describe_guild(core, guild) for guild in guilds],
        "users": [_describe_user(guilds, number, user) for number, user in enumerate(users)],
    }


def _ensure_guild(core: Core, number: int, channels: int) -> Guild:
    world, bot_id = core.world, core.bot_id
    guild_id = make_snowflake(FOUNDED_AT_S + (number + 0.5) / 1000, GUILD_SERIAL + number)
    guild = world.guilds.get(guild_id)
    if guild is None:
        owner = find_user(world, "cafe_keeper")
        guild = Guild(id=guild_id, name=f"Fan Server {number + 1}", owner_id=owner.id)
        managed = Role(
            id=fixed_id(ROLE_SERIAL + number),
            name=core.settings.bot_name,
            permissions=int(ORDINARY),
            managed_by=bot_id,
        )
        everyone = Role(id=guild_id, name="@everyone", permissions=int(ORDINARY), position=0)
        guild.roles = {role.id: role for role in (everyone, managed)}
        joined_at = format_iso(FOUNDED_AT_S)
        guild.members[owner.id] = Member(user_id=owner.id, joined_at=joined_at)
        guild.members[bot_id] = Member(user_id=bot_id, roles=[managed.id], joined_at=joined_at)
        world.guilds[guild_id] = guild
    for place in range(channels):
        channel_id = _channel_id(number, place)
        if channel_id not in world.channels:
            world.channels[channel_id] = Channel(
                id=channel_id,
                type=ChannelType.TEXT,
                name=f"pictures-{number + 1}-{place + 1}",
                guild_id=guild_id,
                position=place,
            )
    return guild


def _channel_id(number: int, place: int) -> str:
    return fixed_id(CHANNEL_SERIAL + number * CHANNELS_MAX + place)


def _ensure_guest(core: Core, number: int) -> User:
    world = core.world
    user_id, direct_id = fixed_id(USER_SERIAL + number), fixed_id(DIRECT_SERIAL + number)
    if user_id not in world.users:
        name = f"guest_{number + 1}"
        world.users[user_id] = User(id=user_id, username=name, global_name=f"Guest {number + 1}")
        world.channels[direct_id] = Channel(
            id=direct_id, type=ChannelType.DM, recipients=[user_id, core.bot_id]
        )
    return world.users[user_id]


def _join(core: Core, guild: Guild, user: User, *, tells: bool) -> None:
    if user.id in guild.members:
        return
    guild.members[user.id] = Member(user_id=user.id, joined_at=format_iso(FOUNDED_AT_S))
    if tells:
        announce_member(core, guild, guild.members[user.id], is_new=True)


def _describe_guild(core: Core, guild: Guild) -> Json:
    channels = [one.id for one in core.world.channels.values() if one.guild_id == guild.id]
    return {"id": guild.id, "name": guild.name, "channel_ids": channels}


def _describe_user(guilds: list[Guild], number: int, user: User) -> Json:
    return {
        "id": user.id,
        "username": user.username,
        "guild_ids": [guild.id for guild in guilds if user.id in guild.members],
        "direct_channel_id": fixed_id(DIRECT_SERIAL + number),
    }
