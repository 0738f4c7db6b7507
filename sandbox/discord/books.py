"""Owns the books: what the bot did here, kept for comparison with what it says of itself.

Only remembers; who tells it is the room where the thing happens. What was deleted, dismissed or forgotten by the
world stays here, up to a bound, and is counted beyond it.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from itertools import islice, takewhile

from sandbox.discord.clock import Clock
from sandbox.discord.component_tree import collect_text, walk
from sandbox.discord.state import Channel, Json, Message

RECORDS_MAX = 50_000
TEXT_MAX = 400
INVALID = (401, 403, 429)


@dataclass(slots=True, kw_only=True)
class MessageRecord:
    """Shape: `custom_ids` and `attachments` are all it ever had, `custom_ids_now` what stands there at last;
    `repeats` are creates that its nonce refused; `revision` grows with each change of any message.
    """

    number: int
    id: str
    channel_id: str
    guild_id: str | None
    created_at_s: float
    nonce: str | None
    reply_to: str | None
    interaction_id: str | None
    ephemeral_to: str | None
    text: str = ""
    custom_ids: list[str] = field(default_factory=list)
    custom_ids_now: list[str] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    edits: int = 0
    repeats: int = 0
    deleted_at_s: float | None = None
    revision: int = 0


@dataclass(slots=True, kw_only=True)
class InteractionRecord:
    """Shape: `answers` counts what was done with it, as "callback 5" or "edit"; `refused` what was refused."""

    number: int
    id: str
    type: int
    name: str
    user_id: str
    channel_id: str
    guild_id: str | None
    created_at_s: float
    acknowledged_at_s: float | None = None
    failed: bool = False
    answers: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


class Books:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        self.faults: Counter[str] = Counter()
        self.gateway: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._invalid_requests = 0
        self._messages: OrderedDict[str, MessageRecord] = OrderedDict()
        self._interactions: OrderedDict[str, InteractionRecord] = OrderedDict()
        self._messages_made = self._interactions_made = 0
        # The same records, the one that changed last at the end.
        self._changed: OrderedDict[str, MessageRecord] = OrderedDict()
        self._revision = 0
        self._failed: list[str] = []

    @property
    def revision(self) -> int:
        """How often a message has changed so far."""
        return self._revision

    def note_message(self, channel: Channel, message: Message) -> None:
        self._messages_made += 1
        record = MessageRecord(
            number=self._messages_made,
            id=message.id,
            channel_id=channel.id,
            guild_id=channel.guild_id,
            created_at_s=self._clock.now_s(),
            nonce=None if message.nonce is None else str(message.nonce),
            reply_to=message.reference.message_id if message.reference else None,
            interaction_id=message.interaction_id,
            ephemeral_to=message.ephemeral_to,
        )
        self._messages[message.id] = self._changed[message.id] = record
        if len(self._messages) > RECORDS_MAX:
            self._changed.pop(self._messages.popitem(last=False)[0], None)
        _note_looks(record, message)
        self._note_change(record)

    def _note_change(self, record: MessageRecord) -> None:
        self._revision += 1
        record.revision = self._revision
        self._changed.move_to_end(record.id)

    def note_edit(self, message: Message) -> None:
        record = self._messages.get(message.id)
        if record is not None:
            record.edits += 1
            _note_looks(record, message)
            self._note_change(record)

    def note_deletion(self, message_ids: Iterable[str]) -> None:
        for message_id in message_ids:
            record = self._messages.get(message_id)
            if record is not None:
                record.deleted_at_s = self._clock.now_s()
                self._note_change(record)

    def note_repeat(self, message_id: str) -> None:
        record = self._messages.get(message_id)
        if record is not None:
            record.repeats += 1

    def note_interaction(
        self, interaction_id: str, kind: int, name: str, user_id: str, channel: Channel
    ) -> None:
        self._interactions_made += 1
        self._interactions[interaction_id] = InteractionRecord(
            number=self._interactions_made,
            id=interaction_id,
            type=kind,
            name=name,
            user_id=user_id,
            channel_id=channel.id,
            guild_id=channel.guild_id,
            created_at_s=self._clock.now_s(),
        )
        if len(self._interactions) > RECORDS_MAX:
            self._interactions.popitem(last=False)

    def note_answer(self, interaction_id: str, how: str, refused_with: str | None) -> None:
        """One request about an interaction, as the work ended; what a fault made of the answer is no matter."""
        record = self._interactions.get(interaction_id)
        if record is None:
            return
        if refused_with is not None:
            record.refused[f"{how} {refused_with}"] += 1
            return
        record.answers[how] += 1
        if record.acknowledged_at_s is None:
            record.acknowledged_at_s = self._clock.now_s()

    def note_failure(self, interaction_id: str) -> None:
        record = self._interactions.get(interaction_id)
        if record is not None:
            record.failed = True
            if len(self._failed) < RECORDS_MAX:
                self._failed.append(interaction_id)

    def note_status(self, status: int | None, *, is_shared: bool) -> None:
        """How a request ended for the bot; None for a connection that broke."""
        self._statuses[str(status or "broken")] += 1
        if status in INVALID and not is_shared:
            self._invalid_requests += 1

    def list_failures(self, *, after: int, limit: int) -> list[str]:
        """The interactions that nobody answered in time, but for the first `after` of them."""
        return self._failed[after : after + limit]

    def list_changes(self, *, after: int, limit: int) -> list[Json]:
        """The messages that changed after a revision, each as it stands now, in the order of their last changes."""
        later = takewhile(lambda one: one.revision > after, reversed(self._changed.values()))
        return [_describe(one) for one in list(later)[::-1][:limit]]

    def render(self, *, after_message: int, after_interaction: int, limit: int) -> Json:
        """The counts, and up to `limit` records after these numbers.

        Shape: `next_message` and `next_interaction` are where to go on, None at the end; `lost` are records that
        the bound pushed out.
        """
        messages = _page(self._messages.values(), after_message, limit)
        interactions = _page(self._interactions.values(), after_interaction, limit)
        return {
            "faults": dict(self.faults),
            "gateway": dict(self.gateway),
            "requests": dict(self._statuses),
            "invalid_requests": self._invalid_requests,
            "nonce_repeats": sum(one.repeats for one in self._messages.values()),
            "messages_made": self._messages_made,
            "interactions_made": self._interactions_made,
            "lost": {
                "messages": self._messages_made - len(self._messages),
                "interactions": self._interactions_made - len(self._interactions),
            },
            "messages": messages,
            "next_message": _find_next(messages, self._messages_made),
            "interactions": interactions,
            "next_interaction": _find_next(interactions, self._interactions_made),
        }


def _note_looks(record: MessageRecord, message: Message) -> None:
    record.text = (message.content or collect_text(message.components))[:TEXT_MAX]
    found = [str(one["custom_id"]) for one in walk(message.components) if one.get("custom_id")]
    record.custom_ids_now = found
    record.custom_ids += [one for one in found if one not in record.custom_ids]
    known = {one["id"] for one in record.attachments}
    for one in message.attachments:
        if one.id not in known:
            record.attachments.append({"id": one.id, "filename": one.filename, "size_bytes": one.size_bytes})


def _page(records: Iterable[MessageRecord | InteractionRecord], after: int, limit: int) -> list[Json]:
    chosen = islice((one for one in records if one.number > after), limit)
    return [_describe(one) for one in chosen]


def _describe(record: MessageRecord | InteractionRecord) -> Json:
    return {item.name: getattr(record, item.name) for item in fields(record)}


def _find_next(page: list[Json], made: int) -> int | None:
    return page[-1]["number"] if page and page[-1]["number"] < made else None
