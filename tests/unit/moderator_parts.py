"""What the tests of moderators' cards and windows share: one picture, one member's history, a card's words."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from bot.caps.histories import MemberHistory, PastPicture, SeenPicture
from bot.caps.values import Allowance
from bot.credits.values import Usage
from bot.i18n import Catalogue
from db.enums import DeliveryMode, JobKind, JobState, Surface
from db.values import Job
from tests.support.wire import text_of

TEXT = partial(Catalogue.load().text, "en-US")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
# Discord's bounds of one message. Source: Discord developer docs, Components Reference (read 2026-11-23).
TEXT_MAX, COMPONENTS_MAX, CUSTOM_ID_MAX = 4000, 40, 100
USER, MODERATOR, ROLE = 2**63 - 1, 2**63 - 2, 2**63 - 3
JOB_ID = "f" * 20


def build_job(state: JobState = JobState.DELIVERED, **more: Any) -> Job:
    ended = state not in {JobState.RESERVED, JobState.SUBMITTED}
    made: dict[str, Any] = {
        "id": JOB_ID,
        "request_id": 1,
        "kind": JobKind.TEXT_TO_IMAGE,
        "surface": Surface.INTERACTION,
        "delivery": DeliveryMode.CHANNEL,
        "user_id": USER,
        "guild_id": MODERATOR,
        "channel_id": ROLE,
        "message_id": USER,
        "locale": "en-US",
        "private": False,
        "prompt": "a stage at night",
        "image_count": 1,
        "seed": 1,
        "output_format": "jpeg",
        "reserved_credits": 8,
        "used_credits": 8 if state is JobState.DELIVERED else None,
        "nonce": JOB_ID,
        "state": state,
        "created_at": NOW,
        "updated_at": NOW,
        "finished_at": NOW if ended else None,
    }
    return Job(**made | more)


def past(state: JobState = JobState.DELIVERED, *, refunded: bool = False, **more: Any) -> PastPicture:
    return PastPicture(job=build_job(state, **more), refunded=refunded)


def seen(picture: PastPicture, blocked_until: datetime | None = None) -> SeenPicture:
    return SeenPicture(job=picture.job, refunded=picture.refunded, now=NOW, blocked_until=blocked_until)


def build_history(**more: Any) -> MemberHistory:
    empty: dict[str, Any] = {
        "user_id": USER,
        "now": NOW,
        "allowance": Allowance(),
        "forgivable_credits": 0,
        "usage": Usage(today_credits=1, week_credits=2, month_credits=3, held_credits=4),
        "grants": (),
        "offers": (),
        "membership": None,
        "pictures": (),
        "acts": (),
    }
    return MemberHistory(**empty | more)


def components(view: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = view.to_components()
    return found


def words(view: Any) -> str:
    return text_of({"components": components(view)})
