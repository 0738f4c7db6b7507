"""Owns what a member does to the bot: slash commands, message menus, autocomplete, components, modals.

Checks what Discord's client checks, builds Discord's payload, and hands over to `interaction_start`.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.discord.body import Body
from sandbox.discord.command_access import is_reachable, is_usable
from sandbox.discord.command_rules import CHANNEL, CHAT_INPUT, MENTIONABLE, MESSAGE_MENU, ROLE, USER
from sandbox.discord.component_tree import SELECTS, Kind, find_by_custom_id
from sandbox.discord.core import Core, get_core
from sandbox.discord.errors import ApiError, missing_permissions, unknown_message
from sandbox.discord.interaction_start import build_resolved, find_owners, open_interaction, send_interaction
from sandbox.discord.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, Interaction
from sandbox.discord.middleware import answer_json
from sandbox.discord.modals import build_submission
from sandbox.discord.options import OptionReader, refuse, spell_name
from sandbox.discord.page_api import (
    get_acting_user,
    get_page_session,
    get_visible_channel,
    get_visible_message,
    read_page_body,
)
from sandbox.discord.permissions import compute_permissions
from sandbox.discord.render import render_attachment, render_message
from sandbox.discord.render_places import render_channel, render_role
from sandbox.discord.state import Attachment, Channel, Json, Message, MessageFlag

if TYPE_CHECKING:
    from collections.abc import Callable


class Act:
    """One request of the page: who, from which open page, where, with which files."""

    def __init__(self, core: Core, user_id: str, session: str, channel: Channel, body: Body) -> None:
        self.core = core
        self.user_id = user_id
        self.session = session
        self.channel = channel
        self.body = body
        self.value = body.as_object()
        self.locale = str(self.value.get("locale") or core.settings.locale)
        self.stored: list[Attachment] = []

    def open(self, kind: int, owners: dict[str, str], metadata: Json | None = None) -> Interaction:
        interaction = open_interaction(self.core, kind, self.channel, self.user_id, owners, metadata=metadata)
        interaction.page_session = self.session
        return interaction

    def store_file(self, index: Any) -> str:
        """Raises: ApiError 50035 when `files[index]` was not sent."""
        upload = self.body.files.get(int(index)) if str(index).isdecimal() else None
        if upload is None:
            raise refuse("attachment", "there is no such file")
        attachment = self.core.cdn.store(upload, self.channel.id, ephemeral=True)
        self.stored.append(attachment)
        return attachment.id

    def exists(self, kind: int, identity: str) -> bool:
        world = self.core.world
        guild = world.guilds.get(self.channel.guild_id or "")
        is_role = guild is not None and identity in guild.roles
        if kind == ROLE:
            return is_role
        if kind == CHANNEL:
            channel = world.channels.get(identity)
            return channel is not None and channel.guild_id == self.channel.guild_id
        return identity in world.users or (kind == MENTIONABLE and is_role)

    def resolve(self, named: list[tuple[int, str]]) -> Json:
        """`resolved` for options or select values, given as pairs of option type and id."""
        world = self.core.world
        guild = world.guilds.get(self.channel.guild_id or "")
        resolved: Json = {}
        users = [one for kind, one in named if kind in (USER, MENTIONABLE) and one in world.users]
        if users:
            resolved |= build_resolved(self.core, self.channel, users)
        roles = [one for kind, one in named if kind in (ROLE, MENTIONABLE) and guild and one in guild.roles]
        if roles and guild:
            resolved["roles"] = {one: render_role(guild.roles[one]) for one in roles}
        channels = [one for kind, one in named if kind == CHANNEL and one in world.channels]
        if channels:
            resolved["channels"] = {one: self._resolve_channel(world.channels[one]) for one in channels}
        if self.stored:
            files = [render_attachment(self.core.cdn, one) for one in self.stored]
            resolved["attachments"] = {one["id"]: one for one in files}
        return resolved

    def _resolve_channel(self, channel: Channel) -> Json:
        bits = compute_permissions(self.core.world, channel, self.user_id)
        return render_channel(self.core.world, channel) | {"permissions": str(int(bits))}


async def post_interaction(request: web.Request) -> web.Response:
    core, user_id = get_core(request), get_acting_user(request)
    body = await read_page_body(request)
    value = body.as_object()
    channel = get_visible_channel(core, str(value.get("channel_id")), user_id)
    act = Act(core, user_id, get_page_session(request), channel, body)
    kind = value.get("type")
    starters: dict[Any, Callable[[Act], str]] = {
        COMMAND: _start_command,
        COMPONENT: _press_component,
        MODAL_SUBMIT: _submit_modal,
    }
    if kind == AUTOCOMPLETE:
        return answer_json({"choices": await _ask_choices(act)})
    if not isinstance(kind, int) or kind not in starters:
        raise refuse("type", "must be 2, 3, 4 or 5")
    return answer_json({"interaction_id": starters[kind](act)}, 202)


def _get_command(act: Act) -> Json:
    command = act.core.registry.find(str(act.value.get("command_id")))
    if command is None:
        raise ApiError(404, 10063, "Unknown application command")
    # What Discord's own servers would refuse, `forge` sends too: the bot must not rely on them alone.
    check = is_reachable if act.value.get("forge") is True else is_usable
    if not check(act.core, act.channel, act.user_id, command):
        raise missing_permissions()
    return command


def _read_options(act: Act, command: Json, *, autocomplete: bool) -> tuple[OptionReader, Json]:
    reader = OptionReader(
        store_file=act.store_file,
        exists=act.exists,
        forged=act.value.get("forge") is True,
        autocomplete=autocomplete,
    )
    data: Json = {"id": command["id"], "name": command["name"], "type": command["type"]}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    if command["type"] == CHAT_INPUT:
        data["options"] = reader.read(command.get("options") or [], act.value.get("options") or [])
        resolved = act.resolve(reader.named)
        if resolved:
            data["resolved"] = resolved
    return reader, data


def _start_command(act: Act) -> str:
    core = act.core
    command = _get_command(act)
    _, data = _read_options(act, command, autocomplete=False)
    extra: Json = {"command_type": command["type"], "name": spell_name(data)}
    if command["type"] != CHAT_INPUT:
        _add_target(act, command, data, extra)
    owners = find_owners(core, act.channel, act.user_id, command["integration_types"])
    interaction = act.open(COMMAND, owners, extra)
    interaction.command_type = command["type"]
    send_interaction(core, interaction, data, locale=act.locale)
    return interaction.id


def _add_target(act: Act, command: Json, data: Json, extra: Json) -> None:
    target_id = str(act.value.get("target_id"))
    data["target_id"] = target_id
    if command["type"] == MESSAGE_MENU:
        target = get_visible_message(act.core, act.channel, target_id, act.user_id)
        if target.has(MessageFlag.EPHEMERAL) and target.author_id != act.core.bot_id:
            raise unknown_message()
        # The target of a message menu is shown in full, whoever wrote it and whatever intents the bot has.
        shown = render_message(act.core.world, act.core.cdn, target, act.core.bot_id)
        data["resolved"] = {"messages": {target.id: shown}}
        extra["target_message_id"] = target.id
    else:
        if target_id not in act.core.world.users:
            raise ApiError(404, 10013, "Unknown User")
        data["resolved"] = build_resolved(act.core, act.channel, [target_id])


async def _ask_choices(act: Act) -> list[Json]:
    core = act.core
    command = _get_command(act)
    reader, data = _read_options(act, command, autocomplete=True)
    if reader.focused is None:
        raise refuse("options", "one option must be focused")
    owners = find_owners(core, act.channel, act.user_id, command["integration_types"])
    interaction = act.open(AUTOCOMPLETE, owners)
    interaction.command_type = command["type"]
    interaction.focused_kind = reader.focused["type"]
    interaction.choices = asyncio.get_running_loop().create_future()
    send_interaction(core, interaction, data, locale=act.locale)
    return await interaction.choices


def _owners_of(message: Message) -> dict[str, str] | None:
    metadata = message.interaction_metadata
    return metadata["authorizing_integration_owners"] if metadata else None


def _press_component(act: Act) -> str:
    core = act.core
    message = get_visible_message(core, act.channel, str(act.value.get("message_id")), act.user_id)
    pressed = act.value.get("component")
    pressed = pressed if isinstance(pressed, dict) else {}
    custom_id = str(pressed.get("custom_id"))
    component = find_by_custom_id(message.components, custom_id)
    forged = act.value.get("forge") is True
    if component is None and forged:
        component = {"type": pressed.get("component_type"), "custom_id": custom_id}
    if message.author_id != core.bot_id or component is None:
        raise refuse("component", "there is no such component on this message")
    if component.get("disabled") and not forged:
        raise refuse("component", "it is disabled")
    data: Json = {
        "id": component.get("id", 0),
        "custom_id": custom_id,
        "component_type": component["type"],
    }
    if component["type"] in SELECTS:
        data |= _read_select(act, component, pressed.get("values"), forged=forged)
    owners = _owners_of(message) or find_owners(core, act.channel, act.user_id, [0, 1])
    extra: Json = {"interacted_message_id": message.id}
    interaction = act.open(COMPONENT, owners, extra)
    interaction.message_id = message.id
    send_interaction(core, interaction, data, locale=act.locale, message=message)
    return interaction.id


def _read_select(act: Act, component: Json, given: Any, *, forged: bool) -> Json:
    values = [str(one) for one in given] if isinstance(given, list) else []
    fewest = component["min_values"] if isinstance(component.get("min_values"), int) else 1
    most = component.get("max_values") or 1
    if not forged and not fewest <= len(values) <= most:
        raise refuse("values", f"between {fewest} and {most} values are needed")
    kinds = {
        Kind.USER_SELECT: USER,
        Kind.ROLE_SELECT: ROLE,
        Kind.MENTIONABLE_SELECT: MENTIONABLE,
        Kind.CHANNEL_SELECT: CHANNEL,
    }
    if component["type"] == Kind.STRING_SELECT:
        allowed = {one["value"] for one in component.get("options", ())}
        if not forged and any(one not in allowed for one in values):
            raise refuse("values", "not one of the options")
        return {"values": values}
    kind = kinds[component["type"]]
    if any(not act.exists(kind, one) for one in values):
        raise refuse("values", "there is no such id")
    return {"values": values, "resolved": act.resolve([(kind, one) for one in values])}


def _submit_modal(act: Act) -> str:
    core = act.core
    modal = core.interactions.find_modal(str(act.value.get("modal_id")), act.user_id)
    if modal is None or modal.interaction.channel_id != act.channel.id:
        raise refuse("modal_id", "there is no such modal")
    submitted = act.value.get("components")
    given = submitted if isinstance(submitted, list) else []
    components = build_submission(modal.components, given, act.store_file)
    data: Json = {"custom_id": modal.custom_id, "components": components}
    resolved = act.resolve(_find_selected(components))
    if resolved:
        data["resolved"] = resolved
    opener = modal.interaction
    extra: Json = {"triggering_interaction_metadata": opener.metadata}
    owners = opener.metadata["authorizing_integration_owners"]
    interaction = act.open(MODAL_SUBMIT, owners, extra)
    message = core.world.find_message(act.channel.id, opener.message_id or "")
    interaction.message_id = message.id if message is not None else None
    send_interaction(core, interaction, data, locale=act.locale, message=message)
    return interaction.id


def _find_selected(answers: list[Json]) -> list[tuple[int, str]]:
    kinds = {5: USER, 6: ROLE, 7: MENTIONABLE, 8: CHANNEL}
    fields = [one["component"] for one in answers if "component" in one]
    return [(kinds[one["type"]], value) for one in fields if one["type"] in kinds for value in one["values"]]


def build_routes() -> list[web.RouteDef]:
    return [web.post("/page/interactions", post_interaction)]
