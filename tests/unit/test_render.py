"""Words as members see them: hostile prompts do nothing, every state has its card."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.caps.values import CREDIT_RULES, Rule
from bot.i18n import Catalogue
from bot.jobs.outcomes import Failure
from bot.jobs.service import KVID_AWAY, STUDIO_PAUSED
from bot.jobs.states import ENDED
from cogs import _render
from db.enums import DeliveryMode, JobState, Surface
from db.values import Job, JobImage
from tests.db.builders import GUILD, NOW, USER, build_job

CATALOGUE = Catalogue.load()
HOSTILE = "@everyone <@1> <@&2> <#3> **b** _i_ `c` ||s|| [x](http://e.vil) \n# h\n> q\n-# s <t:1:R> :joy: \\"
hostile_texts = st.text(
    st.characters() | st.sampled_from("@<>#:*_~`|[]()\\\n\r\t-+.1 \u202e\u200b\u2028\ud800\x00"), max_size=80
)


def text(key: str, **params: object) -> str:
    return CATALOGUE.text("en-US", key, **params)


def unescaped(shown: str) -> str:
    """What is left of a text when each backslash has taken the character behind it."""
    return re.sub(r"\\.", "", shown)


@given(hostile_texts, st.integers(10, 100))
@example(HOSTILE, 600)
@example("\\@everyone", 60)
@example("@\u200beveryone", 60)
@example("@ everyone", 60)
@example("\\\\*x*", 60)
@example("- list", 60)
@example("+ list", 60)
@example("1. list", 60)
def test_escaped_words_neither_ping_nor_format(prompt: str, length_max: int) -> None:
    shown = _render.escape(prompt, length_max)
    bare = unescaped(shown)
    assert not set(bare) & set("\\*_~`|<>[]()#:")
    assert "@everyone" not in shown
    assert "@here" not in shown
    assert not re.search(r"<(?:@[!&]?|#|t:|a?:\w+:)\d", shown)
    assert not re.search(r"@(?!\u2060)", shown)
    assert not re.match(r"(?:[-+]|\d+\.) ", shown)
    assert shown == " ".join(shown.splitlines())
    # Each character becomes two at most, but for the start of a list.
    assert len(shown) <= 2 * length_max + 1


@given(hostile_texts, st.integers(2, 100))
def test_one_line_is_one_plain_line_of_bounded_length(words: str, length_max: int) -> None:
    line = _render.one_line(words, length_max)
    assert len(line) <= length_max
    assert len(line.splitlines()) <= 1
    categories = {unicodedata.category(character) for character in line if character not in "\u200c\u200d"}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_ordinary_words_stay_as_they_are() -> None:
    for words in (
        "a stage at night, 무대",
        "👨\u200d👩\u200d👧 together",
        "50 % off!",
        "1.5 metres",
        "-20 degrees",
    ):
        assert _render.escape(words) == words
    assert _render.one_line("a" * 20, 10) == "a" * 9 + "…"


def job(state: JobState, **changes: object) -> Job:
    finished = {"finished_at": NOW} if state in ENDED else {}
    return build_job(state=state, **(finished | changes))


CARDS = [
    (job(JobState.RESERVED), 3, "**In line**: you are number 3."),
    (job(JobState.RESERVED), None, "**Starting**"),
    (job(JobState.SUBMITTING), None, "**Starting**"),
    (
        job(JobState.SUBMITTED, submitted_at=NOW, estimated_s=8.0),
        None,
        f"ready <t:{int(NOW.timestamp()) + 9}:R>",
    ),
    (job(JobState.RESERVED), KVID_AWAY, "**Waiting for kvid**"),
    (job(JobState.RESERVED), STUDIO_PAUSED, "**Paused**"),
    (
        job(JobState.SUBMITTED, submitted_at=NOW - timedelta(seconds=60), estimated_s=8.0),
        None,
        "a little longer",
    ),
    (job(JobState.SUBMITTED), None, "a little longer"),
    (job(JobState.SUCCEEDED), None, "posting it now"),
    (job(JobState.DELIVERING), None, "posting it now"),
    (
        job(JobState.DELIVERED, message_id=5, used_credits=1),
        None,
        f"https://discord.com/channels/{GUILD}/333333333333333333/5",
    ),
    (
        job(JobState.DELIVERED, message_id=5, used_credits=8, guild_id=None),
        None,
        "https://discord.com/channels/@me/333333333333333333/5",
    ),
    (
        job(JobState.DELIVERED, message_id=5, used_credits=8, delivery=DeliveryMode.INTERACTION),
        None,
        "**Here it is.**",
    ),
    (job(JobState.CANCELLED), None, "**Cancelled.** Nothing was charged."),
    (job(JobState.REFUSED, failure="safety"), None, "safety filter"),
    (job(JobState.FAILED, failure="timeout"), None, "took too long"),
    (job(JobState.UNKNOWN, failure="unknown"), None, "did not confirm"),
    (job(JobState.UNDELIVERABLE, failure="undeliverable"), None, "may not post"),
]


@pytest.mark.parametrize(("shown", "place", "expected"), CARDS, ids=lambda part: getattr(part, "state", None))
def test_every_state_has_its_card(shown: Job, place: int | None, expected: str) -> None:
    card = _render.card_text(text, shown, place, NOW)
    status, *below = card.split("\n")
    assert expected in status
    if _render.is_seen_by_others(shown):
        assert below == []
    elif shown.state is JobState.DELIVERED:
        used = "1 credit used" if shown.used_credits == 1 else "8 credits used"
        assert below == ["> a stage at night, 무대", f"-# {used}"]
    elif shown.state in ENDED:
        # That nothing was charged stands in the first line.
        assert below == ["> a stage at night, 무대"]
        assert "Nothing was charged" in status
    else:
        prompt, price = below
        assert prompt == "> a stage at night, 무대"
        assert price.startswith("-# ")
        assert "up to 8 credits" in price
    assert "{" not in card


def test_every_state_is_among_the_cards() -> None:
    assert {shown.state for shown, _, _ in CARDS} == set(JobState) == set(_render.MARKS)


def test_cancel_is_offered_only_while_it_costs_nothing() -> None:
    assert [state for state in JobState if _render.shows_cancel(job(state))] == [JobState.RESERVED]


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_is_told(failure: Failure) -> None:
    told = _render.failure_text(text, job(JobState.REFUSED, failure=failure.value, failure_detail="{x}"))
    assert "{" not in told


@pytest.mark.parametrize("rule", sorted(CREDIT_RULES))
def test_every_refusal_for_want_of_credits_is_told_with_its_numbers(rule: Rule) -> None:
    period = "_day" if rule in {Rule.CHANNEL_CAP, Rule.CAP, Rule.GRANTED} else ""
    numbers = {"limit": 20, "left": 4, "needed": 8, "held": 16, "resets": 1763856000}
    more = {"granted": 3} if rule is Rule.GRANTED else {}
    detail = json.dumps({"text": f"{rule}{period}_held", **numbers, **more})
    told = _render.failure_text(text, job(JobState.REFUSED, failure=rule.value, failure_detail=detail))
    assert "{" not in told
    assert "8 credits" in told
    assert "4 of 20" in told
    assert "16 held" in told
    assert "<t:1763856000:R>" in told


def test_an_operators_detail_is_not_told_to_the_member() -> None:
    told = _render.failure_text(
        text, job(JobState.FAILED, failure="busy", failure_detail="KvidServerError {x}")
    )
    assert "KvidServerError" not in told


def test_a_card_of_a_hostile_prompt_stays_three_lines_and_within_discords_limit() -> None:
    for prompt in (HOSTILE, "@" * 1000, "*" * 1000, "\n" * 1000 + "x"):
        card = _render.card_text(text, job(JobState.RESERVED, prompt=prompt), 1, NOW)
        assert card.count("\n") == 2
        assert len(card) < 2000


def test_a_result_names_who_asked_and_shows_the_prompt_safely() -> None:
    made = job(JobState.DELIVERING, prompt=HOSTILE, used_credits=8)
    heading = _render.result_heading(text, made)
    assert heading.startswith(f"<@{USER}> imagined\n> ")
    assert "<@1>" not in heading
    assert heading.count("\n") == 1
    edited = _render.result_heading(text, job(JobState.DELIVERING, source_url="https://x.example/1"))
    assert "edited a picture" in edited
    assert len(_render.result_heading(text, job(JobState.DELIVERING, prompt="@" * 1000))) < 2000


def test_a_result_says_size_seed_and_credits() -> None:
    image = JobImage(url="u", width=768, height=512, content_type="image/png")
    made = job(JobState.DELIVERING, used_credits=3, results=(image,), seed=42)
    assert _render.result_footer(text, made) == "-# 768×512 · seed 42 · 3 credits"
    asked = job(JobState.SUBMITTED, aspect_ratio="16:9", used_credits=1)
    assert _render.result_footer(text, asked).startswith("-# 1024×576")
    assert _render.job_price_credits(job(JobState.DELIVERED, width=512, height=512, image_count=4)) == 8


def test_a_picture_is_described_for_those_who_do_not_see_it() -> None:
    assert _render.alt_text(text, job(JobState.DELIVERING), 1) == (
        "Picture made from the prompt: a stage at night, 무대"
    )
    many = job(JobState.DELIVERING, image_count=3, prompt="x" * 5000)
    assert _render.alt_text(text, many, 2).startswith("Picture 2 of 3")
    assert len(_render.alt_text(text, many, 2)) <= 1024


def test_a_job_asked_for_by_a_reply_is_one() -> None:
    assert _render.is_reply(build_job(surface=Surface.MESSAGE))
    assert not _render.is_reply(build_job())


@pytest.mark.parametrize(
    "whole",
    [
        "<@&1234567890>",
        "<#1234567890>",
        "<t:1764000000:f>",
        "**credits a day**",
        "\\*",
        "</studio member:12>",
    ],
)
def test_words_are_cut_within_nothing_that_is_one_thing(whole: str) -> None:
    said = f"Only here: added {whole}, and \\<this \\> besides"
    begins, ends = said.index(whole), said.index(whole) + len(whole)
    for length_max in range(1, len(said)):
        shown = _render.cut(said, length_max)
        assert len(shown) <= length_max
        assert shown.endswith("…")
        kept = shown.removesuffix("…")
        assert said.startswith(kept)
        assert not begins < len(kept) < ends
        assert not kept.replace("\\\\", "").endswith("\\")
    assert _render.cut(said, len(said)) == said
    assert len(_render.cut("w" * 50, 20)) == 20
