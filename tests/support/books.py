"""Three books side by side: our account, the local kvid's and the local Discord's. Pure but for `read_account`.

Every accepted job must be exactly one of two things: delivered once and settled once, or not delivered, voided,
and told once. Jobs are found at kvid by the id it gave them, and by their prompts where we never learned it, so
each request needs a prompt of its own; on Discord by the ids in buttons and words, and by the interaction.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from bot.credits import audit
from db.enums import TERMINAL, JobState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

# What every failure says, in the texts of members.
FAILURE_WORDS = "Nothing was charged"
_BUTTON = re.compile(r"v\d+:(?:cancel|again|edit|why):(\w+)")


class Kind(StrEnum):
    LOST = "lost"
    DOUBLED = "doubled"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    kind: Kind
    rule: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One job as we keep it, with the amounts of its transfers."""

    id: str
    state: JobState
    prompt: str
    request_id: int
    kvid_job_id: str | None = None
    message_id: int | None = None
    failure: str | None = None
    reserved: tuple[int, ...] = ()
    settled: tuple[int, ...] = ()
    voided: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Our own books. `differences` is what our audit recomputed and found unequal."""

    jobs: tuple[Entry, ...]
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Shape: `orphans` are jobs that kvid took and that we never learned of: their members got their credits back."""

    findings: tuple[Finding, ...]
    ends: dict[str, int]
    orphans: tuple[str, ...]
    orphans_credits: int
    settled_credits: int
    kvid_charged_credits: int
    nonce_repeats: int

    def count(self, kind: Kind) -> int:
        return sum(finding.kind is kind for finding in self.findings)


@dataclass(slots=True)
class _Shown:
    """What Discord's books say of one job: ids of messages that stand there at the end."""

    pictures: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def compare(account: Account, kvid: dict[str, Any], discord: dict[str, Any]) -> Report:
    """Shape: `kvid` and `discord` are whole books as their control endpoints tell them, at rest."""
    shown = _collect_shown(account.jobs, discord["messages"])
    at_kvid = {job["job_id"]: job for job in kvid["jobs"]}
    findings: list[Finding] = []
    for entry in account.jobs:
        findings += _check_end(entry, shown[entry.id])
        findings += _check_money(entry, at_kvid.get(entry.kvid_job_id or ""))
    findings += _check_kvid(account.jobs, kvid)
    findings += _check_discord(account.jobs, shown, discord)
    findings += [
        Finding(kind=Kind.DRIFT, rule="the audit differs", subject=one) for one in account.differences
    ]
    known = {entry.kvid_job_id for entry in account.jobs}
    orphans = [job for job in kvid["jobs"] if job["job_id"] not in known]
    return Report(
        findings=tuple(findings),
        ends=dict(Counter(_describe_end(entry) for entry in account.jobs)),
        orphans=tuple(job["job_id"] for job in orphans),
        orphans_credits=sum(job["charged_credits"] for job in orphans),
        settled_credits=sum(sum(entry.settled) for entry in account.jobs),
        kvid_charged_credits=kvid["charged_credits"],
        nonce_repeats=discord["nonce_repeats"],
    )


def _describe_end(entry: Entry) -> str:
    return entry.state.value if entry.failure is None else f"{entry.state.value}: {entry.failure}"


# --- what Discord shows of a job ---


def _collect_shown(jobs: Sequence[Entry], messages: Sequence[dict[str, Any]]) -> defaultdict[str, _Shown]:
    by_interaction = {str(entry.request_id): entry.id for entry in jobs}
    by_message = {str(entry.message_id): entry.id for entry in jobs if entry.message_id is not None}
    ids = {entry.id for entry in jobs}
    shown: defaultdict[str, _Shown] = defaultdict(_Shown)
    for record in messages:
        if record["deleted_at_s"] is not None:
            continue
        job_id = _find_job(record, ids, by_interaction, by_message)
        if job_id is None:
            continue
        seen = shown[job_id]
        # A picture that did not fit is a link; then only our row says which message is the result.
        if record["attachments"] or by_message.get(record["id"]) == job_id:
            seen.pictures.append(record["id"])
        elif FAILURE_WORDS in record["text"]:
            seen.failures.append(record["id"])
    return shown


def _find_job(
    record: dict[str, Any], ids: set[str], by_interaction: dict[str, str], by_message: dict[str, str]
) -> str | None:
    for custom_id in record["custom_ids"]:
        button = _BUTTON.match(custom_id)
        if button is not None:
            return button[1]
    if record["id"] in by_message:
        return by_message[record["id"]]
    if record["interaction_id"] in by_interaction:
        return by_interaction[record["interaction_id"]]
    words = record["text"].replace("`", " ").split()
    return next((word for word in words if word in ids), None)


# --- the rules ---


def _check_end(entry: Entry, shown: _Shown) -> Iterator[Finding]:
    """One picture or one word, and never both."""
    pictures, words = len(shown.pictures), len(shown.failures)
    if entry.state not in TERMINAL:
        yield Finding(kind=Kind.LOST, rule=f"still {entry.state.value}", subject=entry.id)
        return
    is_delivered = entry.state is JobState.DELIVERED
    if is_delivered and pictures == 0:
        yield Finding(kind=Kind.LOST, rule="delivered, but nothing was posted", subject=entry.id)
    if pictures > int(is_delivered):
        rule = "posted more than once" if is_delivered else f"posted, but {entry.state.value}"
        yield Finding(kind=Kind.DOUBLED, rule=rule, subject=entry.id)
    is_owed = entry.failure is not None
    if is_owed and words == 0:
        yield Finding(kind=Kind.LOST, rule=f"{entry.state.value}, and nobody was told", subject=entry.id)
    if words > int(is_owed):
        rule = "told more than once" if is_owed else f"told of a failure, but {entry.state.value}"
        yield Finding(kind=Kind.DOUBLED, rule=rule, subject=entry.id)


def _check_money(entry: Entry, at_kvid: dict[str, Any] | None) -> Iterator[Finding]:
    """One reservation, resolved once, by the end that the job had and for what kvid charged."""
    if len(entry.reserved) > 1 or len(entry.settled) + len(entry.voided) > 1:
        yield Finding(kind=Kind.DOUBLED, rule="reserved or resolved more than once", subject=entry.id)
        return
    if entry.state not in TERMINAL:
        return
    is_delivered = entry.state is JobState.DELIVERED
    # What a rule refused was never reserved.
    wanted = (1, 0) if is_delivered else (0, len(entry.reserved))
    if (len(entry.settled), len(entry.voided)) != wanted:
        yield Finding(kind=Kind.DRIFT, rule=f"{entry.state.value}, but not resolved so", subject=entry.id)
    elif (
        is_delivered
        and at_kvid is not None
        and sum(entry.settled) != min(at_kvid["charged_credits"], sum(entry.reserved))
    ):
        yield Finding(kind=Kind.DRIFT, rule="settled for another amount than kvid's", subject=entry.id)


def _check_kvid(jobs: Sequence[Entry], kvid: dict[str, Any]) -> Iterator[Finding]:
    """No request was sent to kvid twice, and every id that we keep is one of kvid's."""
    requests = Counter(entry.prompt for entry in jobs)
    submits = Counter(str(job["parameters"]["prompt"]) for job in kvid["jobs"])
    for prompt, count in submits.items():
        if count > requests[prompt]:
            rule = "submitted more often than asked for" if requests[prompt] else "submitted without a job"
            yield Finding(kind=Kind.DOUBLED, rule=rule, subject=prompt)
    completed = {job["job_id"]: job["status"] == "completed" for job in kvid["jobs"]}
    kept = Counter(entry.kvid_job_id for entry in jobs if entry.kvid_job_id is not None)
    for kvid_job_id, count in kept.items():
        if count > 1:
            yield Finding(kind=Kind.DOUBLED, rule="one job at kvid for several of ours", subject=kvid_job_id)
        if kvid_job_id not in completed:
            yield Finding(kind=Kind.DRIFT, rule="kvid has no such job", subject=kvid_job_id)
    for entry in jobs:
        if entry.state is JobState.DELIVERED and not completed.get(entry.kvid_job_id or "", False):
            yield Finding(kind=Kind.DRIFT, rule="delivered, but kvid completed nothing", subject=entry.id)
    if kvid["jobs_lost"]:
        yield Finding(kind=Kind.LOST, rule="kvid's books forgot jobs", subject=str(kvid["jobs_lost"]))


def _check_discord(
    jobs: Sequence[Entry], shown: dict[str, _Shown], discord: dict[str, Any]
) -> Iterator[Finding]:
    """No nonce made two messages, and nothing stands there for a job that we do not know."""
    nonces = Counter(record["nonce"] for record in discord["messages"] if record["nonce"] is not None)
    for nonce, count in nonces.items():
        if count > 1:
            yield Finding(kind=Kind.DOUBLED, rule="one nonce, several messages", subject=nonce)
    for job_id in shown.keys() - {entry.id for entry in jobs}:
        yield Finding(kind=Kind.LOST, rule="shown, but we do not know the job", subject=job_id)
    for what, count in discord["lost"].items():
        if count:
            yield Finding(kind=Kind.LOST, rule=f"Discord's books forgot {what}", subject=str(count))


# --- our own books ---


def read_account(c: Connection) -> Account:
    """**Transaction** joins, and only reads."""
    amounts: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    lines = c.execute(
        text("SELECT job_id, kind, amount_credits FROM transfer WHERE kind IN ('reserve', 'settle', 'void')")
    )
    for job_id, kind, amount_credits in lines:
        amounts[job_id, kind].append(amount_credits)
    rows = c.execute(
        text(
            "SELECT id, state, prompt, request_id, kvid_job_id, message_id, failure FROM job ORDER BY number"
        )
    )
    jobs = tuple(
        Entry(
            id=row.id,
            state=JobState(row.state),
            prompt=row.prompt,
            request_id=row.request_id,
            kvid_job_id=row.kvid_job_id,
            message_id=row.message_id,
            failure=row.failure,
            reserved=tuple(amounts[row.id, "reserve"]),
            settled=tuple(amounts[row.id, "settle"]),
            voided=tuple(amounts[row.id, "void"]),
        )
        for row in rows
    )
    differences = tuple(f"{one.kind.value} {one.subject}" for one in audit.find_differences(c))
    return Account(jobs=jobs, differences=differences)
