"""Whatever kvid answers: the member's private message, the ledger after it, and the operator's log line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from bot.i18n import Catalogue
from db.enums import JobState
from tests.flow.conftest import only_sqlite
from tests.support.member import text_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack
    from tests.support.member import Member

CATALOGUE = Catalogue.load()
HTML = {"status": 502, "body": "<html>Bad Gateway</html>", "headers": {"content-type": "text/html"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One misbehaviour of kvid, and everything that must follow from it."""

    endpoint: str
    fault: Any
    state: JobState
    failure: str
    # The event of the operator's line, and a part of its text.
    event: str
    detail: str
    times: int = 1
    settings: dict[str, str] = field(default_factory=dict)


def submit(fault: Any, state: JobState, failure: str, detail: str, **more: Any) -> Case:
    return Case(
        endpoint="submit",
        fault=fault,
        state=state,
        failure=failure,
        event="job.finished",
        detail=detail,
        **more,
    )


def later(endpoint: str, fault: Any, failure: str, detail: str, *, times: int = 1) -> Case:
    state = JobState.FAILED
    return Case(
        endpoint=endpoint,
        fault=fault,
        state=state,
        failure=failure,
        event="job.finished",
        detail=detail,
        times=times,
    )


REFUSED, FAILED, UNKNOWN = JobState.REFUSED, JobState.FAILED, JobState.UNKNOWN
NOW = {"headers": {"Retry-After": "0"}}
CASES = {
    # Every code of the contract's table.
    "invalid prompt": submit({"code": "INVALID_PROMPT"}, REFUSED, "prompt", "INVALID_PROMPT HTTP 400"),
    "safety": submit({"code": "SAFETY_CHECK_FAILED"}, REFUSED, "safety", "SAFETY_CHECK_FAILED HTTP 422"),
    "server error": submit({"code": "SERVER_ERROR"}, UNKNOWN, "unknown", "SERVER_ERROR HTTP 500"),
    # Malformed answers to a submit: nobody knows whether kvid took the job.
    "html": submit(HTML, UNKNOWN, "unknown", "HTTP 502"),
    "empty body": submit("empty", UNKNOWN, "unknown", "KvidProtocolError"),
    # A code of later editions; here, because five outages in a row would hold back the cases behind them.
    "invalid parameters": submit(
        {"code": "INVALID_PARAMETERS"}, REFUSED, "parameters", "INVALID_PARAMETERS HTTP 400"
    ),
    "truncated json": submit("truncated-json", UNKNOWN, "unknown", "KvidProtocolError"),
    "cut body": submit({"cut": True, "after": True}, UNKNOWN, "unknown", "KvidUnreachable"),
    "dropped after the work": submit({"drop": True, "after": True}, UNKNOWN, "unknown", "KvidUnreachable"),
    "no job id": submit({"remove": ["job_id"]}, UNKNOWN, "unknown", "KvidProtocolError"),
    "unknown code": submit(
        {"status": 418, "code": "TEAPOT", "message": "short and stout"}, FAILED, "protocol", "HTTP 418"
    ),
    # While it is being made.
    "job failed": later(
        "submit", {"job": "fail", "message": "the renderer fell over"}, "render", "fell over"
    ),
    "job canceled": later("submit", {"job": "cancel"}, "render", "kvid said canceled"),
    "job lost": later("status", {"code": "JOB_NOT_FOUND"}, "lost", "JOB_NOT_FOUND HTTP 404"),
    "status of another job": later(
        "status", {"job_id": "img_0_other"}, "protocol", "KvidProtocolError", times=99
    ),
    "status makes no sense": later("status", "truncated-json", "protocol", "KvidProtocolError", times=99),
    "result says failed": later("result", {"code": "JOB_FAILED"}, "render", "JOB_FAILED HTTP 400"),
    "result without a picture": later(
        "result", {"remove": ["result_url", "images"]}, "protocol", "KvidProtocolError", times=99
    ),
    # Fetching the picture.
    "not a picture": later(
        "download", {"status": 200, "body": "no picture"}, "download", "fetched", times=99
    ),
    "picture gone": later("download", {"status": 404, "body": "gone"}, "download", "fetched", times=99),
    "picture elsewhere": later(
        "download", {"redirect": "ftp://example.invalid/x.jpg"}, "download", "fetched", times=99
    ),
}


async def run(stack: Stack, member: Member, prompt: str) -> dict[str, Any]:
    """Use /imagine and return the private card once it has come to an end."""
    studio = member.channel("studio")
    before = (await member.messages(studio))[-1:]
    await member.slash(studio, "imagine", prompt=prompt, width=256, height=256)
    after = before[0]["id"] if before else "0"
    return await member.wait_for(
        studio,
        lambda m: prompt in text_of(m) and ("No picture" in text_of(m) or "Here it is" in text_of(m)),
        after=after,
        timeout_s=120,
    )


@only_sqlite
async def test_every_error_is_told_voided_and_logged(stack: Stack) -> None:
    """For each case: the exact private message, nothing charged or held, one line for the operator."""
    member = await stack.member()
    for name, case in CASES.items():
        await stack.servers.kvid_fault(case.endpoint, case.fault, times=case.times)
        card = await run(stack, member, f"case {name}")
        await stack.servers.clear_kvid_faults()

        assert card["ephemeral_to"] == member.user_id, name
        assert CATALOGUE.text("en-US", f"failure.{case.failure}") in text_of(card), name
        assert "Nothing was charged" in text_of(card), name
        job = await stack.last_job(member)
        assert (job.state, job.failure) == (case.state, case.failure), name
        usage = await stack.usage(member)
        assert (usage.today_credits, usage.held_credits) == (0, 0), name
        lines = [line for line in stack.bot.events(case.event) if line["job"] == job.id]
        assert len(lines) == 1, name
        assert case.detail in lines[0]["detail"], name
        assert lines[0]["level"] == "warning", name
    await stack.assert_books_agree()
    assert not stack.bot.events("incident.opened")
    assert not stack.bot.events("task.failed")


@only_sqlite
@pytest.mark.parametrize("code", ["INSUFFICIENT_CREDITS", "UNAUTHORIZED"])
async def test_an_empty_account_or_refused_key_closes_the_studio(stack: Stack, code: str) -> None:
    """Our own shortage is never shown as the member's; the operator gets an error with the mend."""
    member = await stack.member()
    if code == "UNAUTHORIZED":
        await stack.servers.set_kvid(api_keys=["another-key"])
    else:
        await stack.servers.set_kvid(balance_credits=0)
    closed = CATALOGUE.text("en-US", "failure.closed")

    assert closed in text_of(await run(stack, member, "first press"))
    line = stack.bot.events("kvid.account_refused")[0]
    assert line["level"] == "error"
    assert "Top up" in line["mend"]

    studio = member.channel("studio")
    await member.slash(studio, "imagine", prompt="second press")
    told = await member.wait_for_exactly(studio, closed)
    assert told["ephemeral_to"] == member.user_id
    assert len(stack.bot.events("kvid.account_refused")) == 1, "nothing more is submitted during the pause"
    usage = await stack.usage(member)
    assert (usage.today_credits, usage.held_credits) == (0, 0)
    await stack.assert_books_agree()
    assert "local-kvid-key" not in stack.bot.log_text()


@only_sqlite
async def test_passing_faults_end_in_a_picture_charged_once(stack: Stack) -> None:
    """A refused connection, 429s, 5xx and half answers while waiting cost patience, never credits."""
    member = await stack.member()
    busy = {"code": "RATE_LIMITED", **NOW}
    passing: list[tuple[str, Any]] = [
        # More than the client itself repeats: the job goes back into the line, twice.
        ("submit", [busy] * 9),
        ("status", HTML),
        ("status", "drop"),
        ("status", {"set": {"status": "dreaming"}}),
        ("result", {"code": "JOB_NOT_COMPLETED"}),
        ("result", "cut"),
        ("download", {"status": 503, "body": "busy"}),
        ("result", {"result_shape": "result_urls"}),
        ("result", {"result_shape": "images"}),
    ]
    for number, (endpoint, fault) in enumerate(passing, start=1):
        for one in fault if isinstance(fault, list) else [fault]:
            await stack.servers.kvid_fault(endpoint, one, times=1)
        card = await run(stack, member, f"passing {number}")
        assert "Here it is" in text_of(card), (endpoint, fault)
        await stack.servers.clear_kvid_faults()
    assert (await stack.usage(member)).today_credits == len(passing)
    assert (await stack.servers.kvid_books())["charged_credits"] == len(passing)
    await stack.assert_books_agree()


@only_sqlite
@pytest.mark.parametrize(
    ("reported", "charged"), [(0, 0), (1, 1), (5, 2), (None, 2)], ids=["less", "lower", "more", "missing"]
)
async def test_the_reported_credits_decide(stack: Stack, reported: int | None, charged: int) -> None:
    """Less than estimated returns the difference; more is on the operator; nothing reported costs the estimate."""
    member = await stack.member()
    studio = member.channel("studio")
    await stack.servers.kvid_fault("result", {"used_credit": reported})
    await member.slash(studio, "imagine", prompt="two credits", width=512, height=512)
    result = await member.wait_for_result(studio)
    await member.wait_for_text(studio, "Here it is")
    assert f"{charged} credit" in text_of(result)
    usage = await stack.usage(member)
    assert (usage.today_credits, usage.held_credits) == (charged, 0)
    assert len(stack.bot.events("ledger.excess_on_operator")) == (1 if reported == 5 else 0)
    await stack.assert_books_agree()
