"""Owns the JSON of messages and attachments in Discord's shapes.

Reads the world, never changes it. Who may see a message's text is decided by `visibility`, not here.
"""

import copy

from sandbox.discord.cdn import Cdn
from sandbox.discord.component_tree import Kind, collect_media, walk
from sandbox.discord.render_places import render_user
from sandbox.discord.state import Attachment, Json, Message, MessageFlag, MessageType, World


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
            item.setdefault("id", message.id)
            item.setdefault("proxy_url", item["url"])
            continue
        if attachment is None:
            continue
        used.add(attachment.id)
        url = cdn.build_url(attachment)
        item |= {
            "id": attachment.id,
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
    for component in walk(roots):
        if component.get("type") == Kind.FILE:
            named = next((one for one in message.attachments if one.id == component["file"].get("id")), None)
            component["name"] = named.filename if named else None
            component["size"] = named.size_bytes if named else None
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
