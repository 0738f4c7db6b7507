"""Owns the start state: two servers, their members and channels, and a direct message with the bot for each.

All handles are invented. Ids are the same in every process, so an address of a channel stays good.
"""

from sandbox.discord.clock import format_iso, make_snowflake
from sandbox.discord.permissions import ORDINARY, Permission
from sandbox.discord.settings import DiscordSettings
from sandbox.discord.state import Channel, ChannelType, Guild, Member, Overwrite, Role, User, World

FOUNDED_AT_S = 1_767_225_600.0  # 2026-01-01, so that every id looks like an ordinary recent one
MEMBERS = (
    ("mina_fan", "Mina's Fan"),
    ("neon_otter", "Neon Otter"),
    ("lilac_sky", "Lilac Sky"),
    ("paper_comet", "Paper Comet"),
    ("mod_moonbeam", "Moonbeam"),
)
MODERATOR = "mod_moonbeam"
USER_INSTALLED = ("mina_fan", "neon_otter")


def fixed_id(serial: int) -> str:
    return make_snowflake(FOUNDED_AT_S, serial)


CATEGORY_ID = fixed_id(240)
IN_CATEGORY = ("general", "studio")


def build_world(settings: DiscordSettings) -> World:
    world = World()
    bot_id = settings.application_id
    world.users[bot_id] = User(id=bot_id, username=settings.bot_name, bot=True, acts=False)
    owner = User(id=fixed_id(1), username="cafe_keeper", global_name="Cafe Keeper", acts=False)
    world.users[owner.id] = owner
    for number, (handle, shown) in enumerate(MEMBERS):
        user = User(
            id=fixed_id(10 + number),
            username=handle,
            global_name=shown,
            app_installed=handle in USER_INSTALLED,
        )
        world.users[user.id] = user
    _found_cafe(world, bot_id, owner.id)
    next(iter(world.guilds.values())).preferred_locale = settings.guild_locale
    _found_corner(world, owner.id)
    _add_crowd(world, settings.crowd)
    for number, (handle, _) in enumerate(MEMBERS):
        user = find_user(world, handle)
        channel_id = fixed_id(300 + number)
        world.channels[channel_id] = Channel(id=channel_id, type=ChannelType.DM, recipients=[user.id, bot_id])
    first, second = (find_user(world, handle).id for handle in ("mina_fan", "lilac_sky"))
    private_id = fixed_id(350)
    world.channels[private_id] = Channel(id=private_id, type=ChannelType.DM, recipients=[first, second])
    return world


def _add_crowd(world: World, size: int) -> None:
    guild = next(iter(world.guilds.values()))
    for number in range(size):
        user = User(id=fixed_id(1000 + number), username=f"fan_{number}", global_name=f"Fan {number}")
        world.users[user.id] = user
        guild.members[user.id] = Member(user_id=user.id, joined_at=format_iso(FOUNDED_AT_S))


def find_user(world: World, handle: str) -> User:
    """Raises: StopIteration when no user has the handle."""
    return next(user for user in world.users.values() if user.username == handle)


def find_channel(world: World, name: str) -> Channel:
    """Raises: StopIteration when no channel has the name."""
    return next(channel for channel in world.channels.values() if channel.name == name)


def _found_cafe(world: World, bot_id: str, owner_id: str) -> None:
    guild = Guild(id=fixed_id(100), name="Starlight Fan Cafe", owner_id=owner_id)
    everyone = Role(id=guild.id, name="@everyone", permissions=int(ORDINARY), position=0)
    moderator = Role(
        id=fixed_id(101),
        name="Moderator",
        permissions=int(Permission.MANAGE_GUILD | Permission.MANAGE_MESSAGES | Permission.MENTION_EVERYONE),
        color=0xE6739F,
        position=3,
    )
    regular = Role(id=fixed_id(102), name="Lightstick", permissions=0, color=0x7A9CF0, position=1)
    managed = Role(id=fixed_id(103), name="kvid", permissions=int(ORDINARY), position=2, managed_by=bot_id)
    guild.roles = {role.id: role for role in (everyone, moderator, regular, managed)}
    joined_at = format_iso(FOUNDED_AT_S)
    guild.members[owner_id] = Member(user_id=owner_id, joined_at=joined_at)
    guild.members[bot_id] = Member(user_id=bot_id, roles=[managed.id], joined_at=joined_at)
    for handle, _ in MEMBERS:
        roles = [moderator.id] if handle == MODERATOR else [regular.id]
        user_id = find_user(world, handle).id
        guild.members[user_id] = Member(user_id=user_id, roles=roles, joined_at=joined_at)
    world.guilds[guild.id] = guild
    _open_cafe_channels(world, guild, moderator)


def _open_cafe_channels(world: World, guild: Guild, moderator: Role) -> None:
    say = int(Permission.SEND_MESSAGES | Permission.SEND_MESSAGES_IN_THREADS)
    look = int(Permission.VIEW_CHANNEL)
    closed = {
        "announcements": {
            guild.id: Overwrite(id=guild.id, type=0, deny=say),
            moderator.id: Overwrite(id=moderator.id, type=0, allow=say),
        },
        "mods": {
            guild.id: Overwrite(id=guild.id, type=0, deny=look),
            moderator.id: Overwrite(id=moderator.id, type=0, allow=look),
        },
    }
    topics = (
        ("general", "Say hello, talk about the comeback"),
        ("studio", "Make pictures here"),
        ("announcements", "Only moderators write here"),
        ("mods", "Moderators only"),
    )
    for number, (name, topic) in enumerate(topics):
        channel = Channel(
            id=fixed_id(200 + number),
            type=ChannelType.TEXT,
            name=name,
            topic=topic,
            guild_id=guild.id,
            parent_id=CATEGORY_ID if name in IN_CATEGORY else None,
            position=number,
            overwrites=closed.get(name, {}),
        )
        world.channels[channel.id] = channel
    world.channels[CATEGORY_ID] = Channel(
        id=CATEGORY_ID, type=ChannelType.CATEGORY, name="Cafe", guild_id=guild.id
    )
    thread_id = fixed_id(250)
    world.channels[thread_id] = Channel(
        id=thread_id,
        type=ChannelType.PUBLIC_THREAD,
        name="stage outfits",
        guild_id=guild.id,
        parent_id=find_channel(world, "studio").id,
        owner_id=guild.owner_id,
    )


def _found_corner(world: World, owner_id: str) -> None:
    """A server without the bot: its members bring the app along by user install."""
    guild = Guild(id=fixed_id(110), name="Fan Art Corner", owner_id=owner_id)
    guild.roles[guild.id] = Role(id=guild.id, name="@everyone", permissions=int(ORDINARY), position=0)
    joined_at = format_iso(FOUNDED_AT_S)
    guild.members[owner_id] = Member(user_id=owner_id, joined_at=joined_at)
    for handle in USER_INSTALLED:
        user_id = find_user(world, handle).id
        guild.members[user_id] = Member(user_id=user_id, joined_at=joined_at)
    world.guilds[guild.id] = guild
    channel_id = fixed_id(260)
    world.channels[channel_id] = Channel(
        id=channel_id,
        type=ChannelType.TEXT,
        name="showcase",
        topic="A server where the bot is not a member",
        guild_id=guild.id,
    )
