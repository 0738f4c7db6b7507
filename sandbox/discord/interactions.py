"""Owns the interactions that are under way: their tokens, deadlines, what was acknowledged, and open modals.

Time comes in as a number. What an answer does to messages is the business of `callbacks` and `webhooks`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from secrets import token_urlsafe

from sandbox.discord.errors import ApiError, invalid_webhook_token, unknown_webhook
from sandbox.discord.state import Json

INTERACTIONS_MAX = 5000
MODALS_MAX = 500
USER_INSTALL_FOLLOWUPS_MAX = 5
PING, COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = range(1, 6)


@dataclass(slots=True, kw_only=True, eq=False)
class Interaction:
    """Shape: `original_id` is the message that `@original` names, `message_id` the one with the pressed button.

    `page_session` names the open page that acted; its own events go there alone.
    """

    id: str
    token: str = field(default_factory=lambda: token_urlsafe(96), repr=False)
    type: int
    user_id: str
    channel_id: str
    guild_id: str | None
    created_at_s: float
    metadata: Json
    user_install_only: bool = False
    must_be_ephemeral: bool = False
    message_id: str | None = None
    page_session: str = ""
    command_type: int | None = None
    focused_kind: int | None = None
    acknowledged: bool = False
    failed: bool = False
    original_id: str | None = None
    message_ids: set[str] = field(default_factory=set)
    followups: int = 0
    choices: "asyncio.Future[list[Json]] | None" = None
    timer: asyncio.TimerHandle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Modal:
    id: str
    interaction: Interaction
    custom_id: str
    components: list[Json]


class Interactions:
    """By id for the callback, by token for the webhook routes."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, Interaction] = OrderedDict()
        self._by_token: dict[str, Interaction] = {}
        self._modals: OrderedDict[str, Modal] = OrderedDict()

    def __iter__(self) -> Iterator[Interaction]:
        return iter(list(self._by_id.values()))

    def add(self, interaction: Interaction) -> None:
        self._by_id[interaction.id] = interaction
        self._by_token[interaction.token] = interaction
        if len(self._by_id) > INTERACTIONS_MAX:
            _, oldest = self._by_id.popitem(last=False)
            del self._by_token[oldest.token]

    def clear(self) -> None:
        for interaction in self:
            self._stop(interaction)
        self._by_id.clear()
        self._by_token.clear()
        self._modals.clear()

    def forget_channel(self, channel_id: str) -> None:
        """Where a channel is gone, nothing can be answered any more."""
        for interaction in [one for one in self if one.channel_id == channel_id]:
            self._stop(interaction)
            del self._by_id[interaction.id]
            del self._by_token[interaction.token]

    def _stop(self, interaction: Interaction) -> None:
        if interaction.timer is not None:
            interaction.timer.cancel()
        if interaction.choices is not None and not interaction.choices.done():
            interaction.choices.set_result([])

    def find(self, interaction_id: str, token: str) -> Interaction | None:
        interaction = self._by_id.get(interaction_id)
        return interaction if interaction is not None and interaction.token == token else None

    def find_id(self, token: str) -> str | None:
        interaction = self._by_token.get(token)
        return interaction.id if interaction is not None else None

    def get_by_token(self, token: str, *, now_s: float, valid_s: float) -> Interaction:
        """The acknowledged interaction of a webhook route.

        Raises: ApiError 50027 for a token that is unknown or over, 10015 before the acknowledgement.
        """
        interaction = self._by_token.get(token)
        if interaction is None or now_s - interaction.created_at_s > valid_s:
            raise invalid_webhook_token()
        if not interaction.acknowledged:
            raise unknown_webhook()
        return interaction

    def require_followup_left(self, interaction: Interaction) -> None:
        """Raises: ApiError 40094 at the sixth follow-up of an app that only a user installed."""
        if interaction.user_install_only and interaction.followups >= USER_INSTALL_FOLLOWUPS_MAX:
            raise ApiError(400, 40094, "Maximum number of follow-up messages for this interaction reached")

    def open_modal(self, modal: Modal) -> None:
        self._modals[modal.id] = modal
        if len(self._modals) > MODALS_MAX:
            self._modals.popitem(last=False)

    def find_modal(self, modal_id: str, user_id: str) -> Modal | None:
        modal = self._modals.get(modal_id)
        return modal if modal is not None and modal.interaction.user_id == user_id else None
