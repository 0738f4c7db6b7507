"""Owns the event stream to open pages: who acts in them, and what each of them may see."""

from dataclasses import dataclass

from sandbox.discord.outbox import Outbox
from sandbox.discord.permissions import can_view
from sandbox.discord.state import Json, World

PAGES_MAX = 50


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Shape: `session` is the random id an open page gave itself, empty for a listener without one."""

    user_id: str
    outbox: Outbox
    session: str = ""


class PageEvents:
    """Every open page; an event goes to those whose member may see it."""

    def __init__(self) -> None:
        self.pages: set[Page] = set()

    def add(self, page: Page) -> bool:
        if len(self.pages) >= PAGES_MAX:
            return False
        self.pages.add(page)
        return True

    def remove(self, page: Page) -> None:
        self.pages.discard(page)

    def send_to_all(self, event: str, data: Json) -> None:
        for page in list(self.pages):
            page.outbox.send({"t": event, "d": data})

    def send_to_user(self, user_id: str, event: str, data: Json) -> None:
        for page in list(self.pages):
            if page.user_id == user_id:
                page.outbox.send({"t": event, "d": data})

    def send_to_actor(self, user_id: str, session: str, event: str, data: Json) -> None:
        """Send to the one page that acted, or to all of its member when it gave no session."""
        for page in list(self.pages):
            if page.user_id == user_id and session in ("", page.session):
                page.outbox.send({"t": event, "d": data})

    def send_to_channel(
        self, world: World, channel_id: str, event: str, data: Json, *, only: str | None = None
    ) -> None:
        """Send to whoever sees the channel, or to the one reader of an ephemeral message."""
        channel = world.channels[channel_id]
        for page in list(self.pages):
            if (only is None or page.user_id == only) and can_view(world, channel, page.user_id):
                page.outbox.send({"t": event, "d": data})
