"""What kvid and Discord themselves say of one case, and what is wrong with it.

Owns the verdict. Everything is read from the books of the two local services; from our own database come only
the job's id, by which its messages are known there, its state and its lines in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bot.i18n import Catalogue
from bot.jobs.outcomes import Failure
from db.enums import DeliveryMode, JobState, Surface, TransferKind
from db.queries import credits as credit_queries
from db.queries import jobs as queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from db.values import Job, Transfer
    from tests.crash.chain import Case, Chain, Corner

Json = dict[str, Any]
CATALOGUE = Catalogue.load()


def _words(key: str) -> str:
    """A text of the catalogue up to its first value, or behind it."""
    parts = CATALOGUE.text("en-US", key, reason="\0", who="\0", link="\0").split("\0")
    return max(parts, key=len).strip()


FAILED = tuple(map(_words, ("card.failed", "card.failed_reply", "card.failed_late")))
CANCELLED = _words("card.cancelled")
DELIVERED = _words("card.delivered"), _words("card.delivered_here")


def says_failure(record: Json) -> bool:
    return any(words in record["text"] for words in FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """One case as the outside has it.

    Shape: `made` are kvid's jobs for it. Of Discord's messages, deleted ones included, `posted` had its picture,
    `tellings` said that there is none, and `cancellations` that it was called off. Still there are `results`, and
    `card`: what the press was answered with, or the note below a reply.
    """

    job: Job | None
    transfers: list[Transfer]
    made: list[Json]
    posted: list[Json]
    results: list[Json]
    tellings: list[Json]
    cancellations: list[Json]
    card: Json | None
    card_is_within_reach: bool
    is_noted_as_told: bool

    @property
    def is_over(self) -> bool:
        """Whether everybody knows everything they will ever know."""
        if self.job is None:
            return True
        if self.job.finished_at is None:
            return False
        if self.job.state is JobState.DELIVERED:
            return bool(self.posted) and self._card_is_done()
        if self.job.state is JobState.CANCELLED:
            return bool(self.cancellations) or not self.card_is_within_reach
        return bool(self.tellings) or self.is_noted_as_told

    def _card_is_done(self) -> bool:
        assert self.job is not None
        if self.job.surface is Surface.MESSAGE:
            return self.card is None
        if (
            self.card is None
            or self.job.delivery is DeliveryMode.INTERACTION
            or not self.card_is_within_reach
        ):
            return True
        return any(words in self.card["text"] for words in DELIVERED)


async def look(chain: Chain, corner: Corner) -> Outside:
    job, transfers, is_noted_as_told = await chain.database.read(lambda c: _read(c, corner))
    kvid, discord = await chain.servers.kvid_books(), await chain.servers.discord_books()
    about = [record for record in discord["messages"] if _is_about(record, corner, job)]
    there = [record for record in about if record["deleted_at_s"] is None]
    posted = [record for record in about if any(_is_result(file, job) for file in record["attachments"])]
    cards = [record for record in there if _is_card(record, corner, job) and record not in posted]
    return Outside(
        job=job,
        transfers=transfers,
        made=[one for one in kvid["jobs"] if one["parameters"].get("prompt") == corner.prompt],
        posted=posted,
        results=[record for record in there if record in posted],
        tellings=[record for record in about if says_failure(record)],
        cancellations=[record for record in about if CANCELLED in record["text"]],
        card=cards[0] if cards else None,
        card_is_within_reach=job is not None and chain.is_token_alive(job),
        is_noted_as_told=is_noted_as_told,
    )


def find_job(c: Connection, corner: Corner) -> Job | None:
    jobs = queries.list_recent_jobs(c, int(corner.member.user_id), 20)
    return next((one for one in jobs if one.prompt == corner.prompt), None)


def _read(c: Connection, corner: Corner) -> tuple[Job | None, list[Transfer], bool]:
    job = find_job(c, corner)
    reserve = None if job is None else credit_queries.find_reservation(c, job.id)
    if job is None or reserve is None:
        return job, [], False
    after = credit_queries.find_resolution(c, reserve.id), credit_queries.find_refund(c, reserve.id)
    told = any(event.name == queries.NOTICE_TOLD for event in queries.list_events(c, job.id))
    return job, [reserve, *(one for one in after if one is not None)], told


def _is_about(record: Json, corner: Corner, job: Job | None) -> bool:
    if _is_card(record, corner, job):
        return True
    if job is None:
        return False
    return job.id in record["text"] or any(
        job.id in name
        for name in (*record["custom_ids"], *(file["filename"] for file in record["attachments"]))
    )


def _is_card(record: Json, corner: Corner, job: Job | None) -> bool:
    answers = corner.request in {record["interaction_id"], record["reply_to"]} and bool(corner.request)
    return answers or (job is not None and record["nonce"] == f"{job.id}c")


def _is_result(file: Json, job: Job | None) -> bool:
    return job is not None and file["filename"].startswith(f"kvid-{job.id}-")


def find_problems(case: Case, outside: Outside) -> list[str]:
    """Everything that must not be, in words; the whole promise in one place."""
    job, problems = outside.job, list(case.problems)

    def expect(holds: object, words: str) -> None:
        if not holds:
            problems.append(words)

    expect(len(outside.made) <= 1, f"kvid was asked {len(outside.made)} times")
    expect(_count_repeats(outside.posted) == 0, f"posted {len(outside.posted)} times")
    if job is None:
        expect(not outside.made, "kvid made what was never accepted")
        expect(not outside.posted, "a picture of no job")
        return problems
    kinds = [transfer.kind for transfer in outside.transfers]
    expect(_may_end_so(case, job), f"ended {job.state.value} ({job.failure}: {job.failure_detail})")
    if job.state is JobState.DELIVERED:
        expect(outside.posted, "delivered, and not there")
        expect(kinds == [TransferKind.RESERVE, TransferKind.SETTLE], f"posted, but the ledger says {kinds}")
        expect(not outside.tellings, "posted, and told that there is none")
        charged = sum(one["charged_credits"] for one in outside.made)
        expect(job.used_credits == charged, f"charged {job.used_credits}, and kvid took {charged}")
        return problems
    if job.failure != Failure.UNSEEN:
        expect(not outside.results, f"{job.state.value}, but the picture is there")
    expect(kinds == [TransferKind.RESERVE, TransferKind.VOID], f"no picture, but the ledger says {kinds}")
    told = outside.cancellations if job.state is JobState.CANCELLED else outside.tellings
    words = [one["text"] for one in told]
    expect(told, f"{job.state.value}, and nobody was told")
    expect(_count_repeats(told) <= _may_be_said_again(case), f"{job.state.value}, and told again: {words}")
    return problems


def _may_be_said_again(case: Case) -> bool:
    """What was whispered the moment before the kill nobody can look at any more, and saying nothing is worse."""
    whispered = str(case.boundary).startswith("taken PATCH")
    return case.outage is not None and case.outage.hides_answers and whispered


def _count_repeats(posted: Sequence[Json]) -> int:
    """How often it was said while it stood there already; others may have deleted it since."""
    in_order = sorted(posted, key=lambda record: float(record["created_at_s"]))
    return sum(
        before["deleted_at_s"] is None or before["deleted_at_s"] > after["created_at_s"]
        for before, after in pairwise(in_order)
    )


def _may_end_so(case: Case, job: Job) -> bool:
    if job.failure == Failure.UNSEEN:
        return case.outage is not None and case.outage.hides_answers and job.private
    if job.state is JobState.UNKNOWN:
        # Only where nobody can know whether kvid took it.
        return job.kvid_job_id is None
    if case.outage is None:
        return job.state in case.scenario.ends
    return job.state in case.outage.ends | (case.scenario.ends - {JobState.DELIVERED})
