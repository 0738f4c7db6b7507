"""Owns the assembly: one object that holds every room's state and the few acts that concern all of them.

Built by `server.create_app`; routes get it from the aiohttp application.
"""

from aiohttp import web

from sandbox.discord.books import Books
from sandbox.discord.cdn import Cdn
from sandbox.discord.clock import Clock
from sandbox.discord.errors import missing_access, unknown_channel, unknown_message
from sandbox.discord.fault_rates import FaultRates
from sandbox.discord.faults import Faults
from sandbox.discord.interactions import Interactions
from sandbox.discord.page_events import PageEvents
from sandbox.discord.permissions import can_view
from sandbox.discord.ratelimit import RateLimits
from sandbox.discord.registry import Registry
from sandbox.discord.render import is_hidden_from, render_message
from sandbox.discord.request_log import RequestLog
from sandbox.discord.session_starts import SessionStarts
from sandbox.discord.sessions import Intent, Session, Sessions
from sandbox.discord.settings import DiscordSettings
from sandbox.discord.state import Channel, Json, Message, MessageFlag, User
from sandbox.discord.visibility import render_for_bot
from sandbox.discord.world import build_world


class Core:
    """The whole local Discord, without its sockets."""

    def __init__(self, settings: DiscordSettings) -> None:
        self.settings = settings
        self.clock = Clock()
        self.cdn = Cdn(settings, self.clock)
        self.world = build_world(settings)
        self.pages = PageEvents()
        self.sessions = Sessions(settings, self.clock)
        self.starts = SessionStarts(settings, self.clock)
        self.registry = Registry()
        self.interactions = Interactions()
        self.limits = RateLimits(settings, self.clock)
        self.faults = Faults()
        self.fault_rates = FaultRates()
        self.books = Books(self.clock)
        self.log = RequestLog()
        self.nonces: dict[tuple[str, str], tuple[float, str, str]] = {}

    @property
    def bot_id(self) -> str:
        return self.settings.application_id

    @property
    def bot(self) -> User:
        return self.world.users[self.bot_id]

    def get_channel(self, channel_id: str) -> Channel:
        """Raises: ApiError 10003."""
        channel = self.world.channels.get(channel_id)
        if channel is None:
            raise unknown_channel()
        return channel

    def get_channel_for_bot(self, channel_id: str) -> Channel:
        """Raises: ApiError 10003 for no such channel, 50001 for one the bot does not see."""
        channel = self.get_channel(channel_id)
        if not can_view(self.world, channel, self.bot_id):
            raise missing_access()
        return channel

    def get_message(self, channel_id: str, message_id: str) -> Message:
        """Raises: ApiError 10008, for ephemeral messages too: they exist for the interaction token alone."""
        message = self.world.find_message(channel_id, message_id)
        if message is None or message.has(MessageFlag.EPHEMERAL):
            raise unknown_message()
        return message

    def render_for_bot(self, message: Message, *, session: Session | None = None) -> Json:
        allowed = self.settings.message_content_intent_allowed
        asked = session is None or bool(session.intents & Intent.MESSAGE_CONTENT)
        return render_for_bot(
            self.world, self.cdn, self.settings, message, has_content_intent=allowed and asked
        )

    def render_for_page(self, message: Message, user_id: str | None) -> Json:
        body = render_message(self.world, self.cdn, message, user_id)
        if message.reference is not None:
            target = self.world.find_message(message.reference.channel_id, message.reference.message_id)
            shown = target is not None and not (user_id and is_hidden_from(target, user_id))
            body["referenced_message"] = (
                render_message(self.world, self.cdn, target, user_id)
                if target is not None and shown
                else None
            )
        return body | {
            "ephemeral_to": message.ephemeral_to,
            "interaction_failed": message.interaction_failed,
            "sandbox_notified": list(message.notified),
        }

    def announce_state(self) -> None:
        self.pages.send_to_all("STATE", {})


CORE: web.AppKey[Core] = web.AppKey("core", Core)


def get_core(request: web.Request) -> Core:
    return request.app[CORE]
