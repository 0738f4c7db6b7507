"""Words and numbers as members see them (pure): escaping, sizes, states, the lines of a card.

Knows Discord's markdown, not its objects.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, assert_never
from urllib.parse import quote

from bot.caps.values import Rule
from bot.credits.rules import price_credits
from bot.fitting import Fit
from bot.i18n import write_number
from bot.jobs import service
from bot.jobs.requests import size_of
from db.enums import DeliveryMode, JobState, Surface

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from db.values import Job

    Text = Callable[..., str]

_RULES = frozenset(rule.value for rule in Rule)
PROMPT_SHOWN_MAX = 600
ALT_MAX = 1024

# Characters that begin markdown, mentions, links, timestamps or emoji anywhere in a line.
_SPECIAL = re.compile(r"([\\*_~`|<>\[\]()#@:])")
# Where a line begins, these would make a list of it.
_LIST_START = re.compile(r"^(\d+(?=\. )|(?=[-+] ))")
# What may stand in an address and does not end a link: no brackets, no spaces.
_ADDRESS_SAFE = "%/:?#@!$&'*+,;=~-._"
# What is one thing only as a whole: an escape, a mention or a timestamp, bold words.
_WHOLE = re.compile(r"\\.|<[^<>\n]{1,100}>|\*\*(?:\\.|[^*\n])+\*\*")
_SPACES = re.compile(r"\s+")
# Joiners inside emoji and scripts stay; other invisible formatting (such as text direction) goes.
_KEPT_FORMAT = {"\u200c", "\u200d"}

MARKS: dict[JobState, str] = {
    JobState.RESERVED: "🕒",
    JobState.SUBMITTING: "🎨",
    JobState.SUBMITTED: "🎨",
    JobState.SUCCEEDED: "🎨",
    JobState.DELIVERING: "🎨",
    JobState.DELIVERED: "✅",
    JobState.CANCELLED: "✖️",
    JobState.REFUSED: "🚫",
    JobState.FAILED: "⚠️",
    JobState.UNKNOWN: "⚠️",
    JobState.UNDELIVERABLE: "⚠️",
}


def one_line(text: str, length_max: int) -> str:
    """Hostile text as one plain line: no control or direction characters, at most `length_max` characters."""
    spaced = _SPACES.sub(" ", text).strip()
    kept = "".join(
        c
        for c in spaced
        if c in _KEPT_FORMAT or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
    )
    return kept if len(kept) <= length_max else kept[: length_max - 1].rstrip() + "…"


def escape(text: str, length_max: int = PROMPT_SHOWN_MAX) -> str:
    """A member's words inside our message: nothing in them pings, links or formats."""
    line = one_line(text, length_max)
    # A word joiner after @ also keeps clients that ignore the backslash from drawing a mention.
    safe = _SPECIAL.sub(r"\\\1", line).replace("\\@", "@\u2060")
    return _LIST_START.sub(r"\1\\", safe)


def cut(said: str, length_max: int) -> str:
    """Our own words, at most `length_max` characters: never cut within a mention, a timestamp or bold words."""
    if len(said) <= length_max:
        return said
    end = length_max - 1
    end = next((one.start() for one in _WHOLE.finditer(said) if one.start() < end < one.end()), end)
    return said[:end].rstrip() + "…"


def number(value: int) -> str:
    """A number that any language reads: thousands apart by a narrow space that does not break."""
    return write_number(value)


def credits_text(text: Text, amount: int) -> str:
    """`1 credit` or `8 credits`."""
    return text("unit.credit_one" if amount == 1 else "unit.credit_many", n=number(amount))


def job_size(job: Job) -> str:
    """`1024×1024` of the first picture, as kvid reported it or as it was asked for."""
    width, height = (job.results[0].width, job.results[0].height) if job.results else size_of(job)
    return f"{width}×{height}"


def job_price_credits(job: Job) -> int:
    """What doing the same job again costs at most."""
    return price_credits(*size_of(job), job.image_count)


def edit_price_credits(job: Job) -> int:
    """What an edit of one of the job's pictures costs at most."""
    return price_credits(*size_of(job))


def message_link(guild_id: int | None, channel_id: int, message_id: int) -> str:
    return f"https://discord.com/channels/{guild_id or '@me'}/{channel_id}/{message_id}"


def card_text(text: Text, job: Job, place: int | None, now: datetime) -> str:
    """The member's private card: one sentence on where the job stands, the prompt, the price."""
    status = card_status(text, job, place, now)
    if is_seen_by_others(job):
        return status
    lines = [status, f"> {escape(job.prompt, 200)}", _card_price(text, job)]
    return "\n".join(line for line in lines if line)


def _card_price(text: Text, job: Job) -> str:
    """The small line; a job that ended without a picture has said already that nothing was charged."""
    if job.state is JobState.DELIVERED:
        return "-# " + text("card.price_used", credits=credits_text(text, job.used_credits or 0))
    if job.finished_at is not None:
        return ""
    return "-# " + text("card.price", credits=credits_text(text, job.reserved_credits))


def card_status(text: Text, job: Job, place: int | None, now: datetime) -> str:
    match job.state:
        case JobState.RESERVED:
            return _waiting_status(text, job, place)
        case JobState.SUBMITTING:
            return text("card.starting")
        case JobState.SUBMITTED:
            ready = _ready_timestamp(job)
            if ready is None or ready < now.timestamp():
                return text("card.rendering_late")
            return text("card.rendering", ready=f"<t:{ready}:R>")
        case JobState.SUCCEEDED | JobState.DELIVERING:
            return text("card.posting")
        case JobState.DELIVERED:
            if job.delivery is DeliveryMode.CHANNEL and job.message_id is not None:
                return text("card.delivered", link=message_link(job.guild_id, job.channel_id, job.message_id))
            return text("card.delivered_here")
        case JobState.CANCELLED:
            return text("card.cancelled")
        case _:
            return text("card.failed", reason=failure_text(text, job))


def _waiting_status(text: Text, job: Job, place: int | None) -> str:
    match place:
        case None:
            return text("card.starting")
        case service.BEHIND_OWN:
            return text("card.waiting_own", running=job.running_max)
        case service.KVID_AWAY:
            return text("card.waiting_away")
        case service.STUDIO_PAUSED:
            return text("card.waiting_paused")
        case _:
            return text("card.waiting", place=place)


def _ready_timestamp(job: Job) -> int | None:
    if job.submitted_at is None or job.estimated_s is None:
        return None
    return int(job.submitted_at.timestamp() + job.estimated_s + 0.999)


def public_failure_text(text: Text, job: Job) -> str:
    """A failure as others may see it: no reason, no numbers."""
    if is_reply(job):
        return text("card.failed_reply")
    return text("card.failed_late", who=f"<@{job.user_id}>")


def failure_text(text: Text, job: Job) -> str:
    """Why a job ended without a picture, with the numbers of a limit filled in."""
    if job.failure in _RULES and job.failure_detail:
        refusal = dict(json.loads(job.failure_detail))
        return text(f"failure.{refusal.pop('text', job.failure)}", **refusal)
    return text(f"failure.{job.failure}")


def refusal_text(content: str, typed: str | None) -> str:
    """A refusal, with what was typed so that it need not be typed again."""
    return f"{content}\n> {escape(typed)}" if typed and typed.strip() else content


def result_heading(text: Text, job: Job) -> str:
    key = "result.heading_edit" if job.source_url else "result.heading"
    return f"{text(key, who=f'<@{job.user_id}>')}\n> {escape(job.prompt)}"


def result_footer(text: Text, job: Job, fit: Fit = Fit.AS_IS) -> str:
    footer = "-# " + text(
        "result.footer", size=job_size(job), seed=job.seed, credits=credits_text(text, job.used_credits or 0)
    )
    match fit:
        case Fit.AS_IS:
            return footer
        case Fit.SAVED_AGAIN:
            return f"{footer}\n-# {text('result.saved_again')}"
        case Fit.SMALLER:
            return f"{footer}\n-# {text('result.smaller')}"
        case Fit.LINKED:
            return f"{text('result.linked', links=result_links(job))}\n{footer}"
        case _:
            assert_never(fit)


def result_links(job: Job) -> str:
    """Where kvid keeps the pictures, as links that their addresses cannot break out of."""
    links = [quote(image.url, safe=_ADDRESS_SAFE) for image in job.results]
    return " · ".join(f"[#{index}](<{link}>)" for index, link in enumerate(links, start=1))


def alt_text(text: Text, job: Job, index: int) -> str:
    prompt = one_line(job.prompt, 900)
    if job.image_count == 1:
        return text("result.alt", prompt=prompt)[:ALT_MAX]
    return text("result.alt_many", index=index, count=job.image_count, prompt=prompt)[:ALT_MAX]


def shows_cancel(job: Job) -> bool:
    """A job can be cancelled only while it waits: kvid cannot be stopped."""
    return job.state is JobState.RESERVED


def is_seen_by_others(job: Job) -> bool:
    """Whether the card is no private one: it answers a reply, or its message becomes the public result."""
    return is_reply(job) or (job.delivery is DeliveryMode.INTERACTION and not job.private)


def is_reply(job: Job) -> bool:
    return job.surface is Surface.MESSAGE
