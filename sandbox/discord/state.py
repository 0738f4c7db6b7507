"""Owns the shapes of all that the local Discord remembers; in memory, gone when the process ends.

Entities are changed in place by the room that owns the act; only `render` turns them into Discord's JSON.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any

Json = dict[str, Any]
MESSAGES_PER_CHANNEL_MAX = 2000


class ChannelType(IntEnum):
    TEXT = 0
    DM = 1
    GROUP_DM = 3
    CATEGORY = 4
    PUBLIC_THREAD = 11


class MessageType(IntEnum):
    DEFAULT = 0
    REPLY = 19
    CHAT_INPUT_COMMAND = 20
    CONTEXT_MENU_COMMAND = 23


class MessageFlag(IntFlag):
    SUPPRESS_EMBEDS = 1 << 2
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    COMPONENTS_V2 = 1 << 15


@dataclass(slots=True, kw_only=True)
class User:
    id: str
    username: str
    global_name: str | None = None
    bot: bool = False
    acts: bool = True
    app_installed: bool = False


@dataclass(slots=True, kw_only=True)
class Role:
    id: str
    name: str
    permissions: int
    color: int = 0
    position: int = 1
    managed_by: str | None = None


@dataclass(slots=True, kw_only=True)
class Member:
    user_id: str
    roles: list[str] = field(default_factory=list)
    joined_at: str


@dataclass(slots=True, kw_only=True)
class Overwrite:
    """Shape: type 0 is a role, 1 a member."""

    id: str
    type: int
    allow: int = 0
    deny: int = 0


@dataclass(slots=True, kw_only=True)
class Channel:
    id: str
    type: ChannelType
    name: str | None = None
    topic: str | None = None
    guild_id: str | None = None
    parent_id: str | None = None
    owner_id: str | None = None
    position: int = 0
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    recipients: list[str] = field(default_factory=list)
    last_message_id: str | None = None

    @property
    def is_thread(self) -> bool:
        return self.type is ChannelType.PUBLIC_THREAD


@dataclass(slots=True, kw_only=True)
class Guild:
    id: str
    name: str
    owner_id: str
    roles: dict[str, Role] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    preferred_locale: str = "en-US"
    # AutoMod rules as Discord would answer them, and the Integrations page's words by command or application.
    automod_rules: dict[str, Json] = field(default_factory=dict)
    command_permissions: dict[str, list[Json]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Attachment:
    id: str
    channel_id: str
    filename: str
    content_type: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    description: str | None = None
    ephemeral: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    message_id: str
    channel_id: str
    guild_id: str | None


@dataclass(slots=True, kw_only=True)
class Message:
    """Shape: `components` and `embeds` as sent, media items still `attachment://name`; `render` resolves them."""

    id: str
    channel_id: str
    author_id: str
    timestamp: str
    type: MessageType = MessageType.DEFAULT
    content: str = ""
    edited_timestamp: str | None = None
    flags: int = 0
    tts: bool = False
    nonce: str | int | None = None
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    mentions: list[str] = field(default_factory=list)
    mention_roles: list[str] = field(default_factory=list)
    mention_everyone: bool = False
    notified: list[str] = field(default_factory=list)
    mentioned_in_text: list[str] = field(default_factory=list)
    reference: Reference | None = None
    replied_with_ping: bool = False
    interaction_id: str | None = None
    interaction_metadata: Json | None = None
    ephemeral_to: str | None = None
    dismissed: bool = False
    interaction_failed: bool = False

    def has(self, flag: MessageFlag) -> bool:
        return bool(self.flags & flag)


@dataclass(slots=True, kw_only=True)
class World:
    """Users, guilds, channels and messages: all that a reset brings back to its start."""

    users: dict[str, User] = field(default_factory=dict)
    guilds: dict[str, Guild] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    messages: dict[str, OrderedDict[str, Message]] = field(default_factory=dict)

    def find_message(self, channel_id: str, message_id: str) -> Message | None:
        return self.messages.get(channel_id, OrderedDict()).get(message_id)

    def list_messages(self, channel_id: str) -> list[Message]:
        return list(self.messages.get(channel_id, OrderedDict()).values())

    def add_message(self, message: Message) -> Message | None:
        """Keep a message; answers the oldest one when the channel was full and it had to go."""
        kept = self.messages.setdefault(message.channel_id, OrderedDict())
        kept[message.id] = message
        self.channels[message.channel_id].last_message_id = message.id
        if len(kept) > MESSAGES_PER_CHANNEL_MAX:
            return kept.popitem(last=False)[1]
        return None

    def remove_message(self, message: Message) -> None:
        self.messages[message.channel_id].pop(message.id, None)

    def find_direct_channel(self, one: str, other: str) -> Channel | None:
        for channel in self.channels.values():
            if channel.type is ChannelType.DM and set(channel.recipients) == {one, other}:
                return channel
        return None
