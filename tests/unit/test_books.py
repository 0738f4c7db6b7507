"""The comparison of the three books finds every way in which a job can be lost, doubled or paid wrongly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from db.enums import JobState
from tests.support.books import Account, Entry, Kind, Report, compare

if TYPE_CHECKING:
    from collections.abc import Callable

DONE = Entry(
    id="JOB1",
    state=JobState.DELIVERED,
    prompt="number 1",
    request_id=11,
    kvid_job_id="img_1",
    message_id=501,
    reserved=(8,),
    settled=(8,),
)
FAILED = Entry(
    id="JOB2",
    state=JobState.FAILED,
    prompt="number 2",
    request_id=12,
    kvid_job_id="img_2",
    failure="render",
    reserved=(8,),
    voided=(8,),
)
UNKNOWN = Entry(
    id="JOB3",
    state=JobState.UNKNOWN,
    prompt="number 3",
    request_id=13,
    failure="unknown",
    reserved=(8,),
    voided=(8,),
)
CANCELLED = Entry(
    id="JOB4", state=JobState.CANCELLED, prompt="number 4", request_id=14, reserved=(8,), voided=(8,)
)


def message(message_id: str, *custom_ids: str, **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "nonce": None,
        "interaction_id": None,
        "reply_to": None,
        "text": "",
        "attachments": [],
    }
    return {"id": message_id, "custom_ids": list(custom_ids), "deleted_at_s": None, **empty, **more}


class Books:
    """Three books that agree, to be spoiled."""

    def __init__(self) -> None:
        self.entries = {entry.id: entry for entry in (DONE, FAILED, UNKNOWN, CANCELLED)}
        self.differences: tuple[str, ...] = ()
        self.kvid_jobs = [self.kvid_job(1), self.kvid_job(2, "failed", 0), self.kvid_job(3)]
        self.kvid: dict[str, Any] = {"charged_credits": 16, "jobs_lost": 0}
        told = "No picture this time. Nothing was charged."
        self.messages = [
            message("501", "v1:again:JOB1", "v1:edit:JOB1:8", nonce="n1", attachments=[{"id": "1"}]),
            message("502", "v1:cancel:JOB1", interaction_id="11", text="Here it is"),
            message("503", interaction_id="12", text=told),
            message("504", "v1:cancel:JOB3", deleted_at_s=5.0, text=told),
            message("505", nonce="n3", text=f"{told} Job JOB3"),
            message("506", "v1:cancel:JOB4", interaction_id="14", text="Cancelled. Nothing is due."),
        ]
        self.lost = {"messages": 0, "interactions": 0}

    @staticmethod
    def kvid_job(number: int, status: str = "completed", charged_credits: int = 8) -> dict[str, Any]:
        return {
            "job_id": f"img_{number}",
            "status": status,
            "charged_credits": charged_credits,
            "parameters": {"prompt": f"number {number}"},
        }

    def put(self, job_id: str, **changes: Any) -> None:
        self.entries[job_id] = replace(self.entries[job_id], **changes)

    def compare(self) -> Report:
        return compare(
            Account(jobs=tuple(self.entries.values()), differences=self.differences),
            {**self.kvid, "jobs": self.kvid_jobs},
            {"messages": self.messages, "lost": self.lost, "nonce_repeats": 1},
        )


def test_books_that_agree_say_how_the_jobs_ended_and_what_was_paid_for_nothing() -> None:
    report = Books().compare()
    assert report.findings == ()
    assert report.ends == {"delivered": 1, "failed: render": 1, "unknown: unknown": 1, "cancelled": 1}
    assert (report.orphans, report.orphans_credits) == (("img_3",), 8)
    assert (report.settled_credits, report.kvid_charged_credits, report.nonce_repeats) == (8, 16, 1)


def test_a_result_that_is_a_link_is_found_by_the_id_that_was_stored() -> None:
    books = Books()
    books.messages[0]["attachments"] = []
    assert books.compare().findings == ()


SPOILED: dict[str, tuple[Kind, str, Callable[[Books], object]]] = {
    "open": (Kind.LOST, "still submitted", lambda b: b.put("JOB3", state=JobState.SUBMITTED)),
    "nothing posted": (Kind.LOST, "nothing was posted", lambda b: b.messages.pop(0)),
    "picture deleted": (Kind.LOST, "nothing was posted", lambda b: b.messages[0].update(deleted_at_s=1.0)),
    "untold": (Kind.LOST, "failed, and nobody was told", lambda b: b.messages.pop(2)),
    "untold late": (Kind.LOST, "unknown, and nobody was told", lambda b: b.messages.pop(4)),
    "posted twice": (
        Kind.DOUBLED,
        "posted more than once",
        lambda b: b.messages.append(message("600", "v1:again:JOB1", attachments=[{"id": "2"}])),
    ),
    "posted and failed": (
        Kind.DOUBLED,
        "posted, but failed",
        lambda b: b.messages.append(message("600", "v1:again:JOB2", attachments=[{"id": "2"}])),
    ),
    "told twice": (
        Kind.DOUBLED,
        "told more than once",
        lambda b: b.messages.append(message("600", "v1:why:JOB2", text="Nothing was charged.")),
    ),
    "told though delivered": (
        Kind.DOUBLED,
        "told of a failure, but delivered",
        lambda b: b.messages[1].update(text="No picture. Nothing was charged."),
    ),
    "one nonce twice": (Kind.DOUBLED, "one nonce", lambda b: b.messages[1].update(nonce="n1")),
    "resolved twice": (Kind.DOUBLED, "resolved more than once", lambda b: b.put("JOB2", settled=(8,))),
    "reserved twice": (Kind.DOUBLED, "reserved or resolved", lambda b: b.put("JOB2", reserved=(8, 8))),
    "submitted twice": (
        Kind.DOUBLED,
        "more often than asked for",
        lambda b: b.kvid_jobs.append({**b.kvid_job(1), "job_id": "img_9"}),
    ),
    "submitted for nobody": (Kind.DOUBLED, "without a job", lambda b: b.kvid_jobs.append(b.kvid_job(9))),
    "one at kvid for two": (Kind.DOUBLED, "for several", lambda b: b.put("JOB3", kvid_job_id="img_2")),
    "not voided": (Kind.DRIFT, "not resolved so", lambda b: b.put("JOB2", voided=())),
    "failed but settled": (
        Kind.DRIFT,
        "failed, but not resolved",
        lambda b: b.put("JOB2", voided=(), settled=(8,)),
    ),
    "delivered but voided": (
        Kind.DRIFT,
        "delivered, but not resolved",
        lambda b: b.put("JOB1", settled=(), voided=(8,)),
    ),
    "another amount": (Kind.DRIFT, "another amount", lambda b: b.put("JOB1", settled=(7,))),
    "audit": (Kind.DRIFT, "audit", lambda b: setattr(b, "differences", ("balance_differs member 1",))),
    "kvid does not know it": (Kind.DRIFT, "no such job", lambda b: b.put("JOB2", kvid_job_id="img_x")),
    "kvid made nothing": (Kind.DRIFT, "completed nothing", lambda b: b.kvid_jobs[0].update(status="failed")),
    "a job without a row": (Kind.LOST, "do not know", lambda b: b.entries.pop("JOB4")),
    "kvid forgot": (Kind.LOST, "kvid's books", lambda b: b.kvid.update(jobs_lost=2)),
    "Discord forgot": (Kind.LOST, "Discord's books", lambda b: b.lost.update(messages=1)),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_each_disagreement_is_found(spoiled: str) -> None:
    kind, rule, spoil = SPOILED[spoiled]
    books = Books()
    spoil(books)
    report = books.compare()
    assert any(one.kind is kind and rule in one.rule for one in report.findings), report.findings
    assert report.count(kind) >= 1


def test_what_a_rule_refused_was_never_reserved_and_is_told_in_the_answer() -> None:
    books = Books()
    books.put("JOB2", state=JobState.REFUSED, failure="cooldown", kvid_job_id=None, reserved=(), voided=())
    books.kvid_jobs.pop(1)
    assert books.compare().findings == ()
