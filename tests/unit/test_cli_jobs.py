"""`kvid-bot jobs`: what it shows, repeats and calls off, what it refuses, and that the ledger agrees after each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot import cli
from bot.clock import SystemClock
from bot.credits import audit
from bot.jobs.states import GIVEN_UP
from db.engine import run_once
from db.enums import OPEN, JobState
from db.queries import jobs as queries
from tests.unit.operator_desk import CHANNEL, GUILD, MEMBER, PRICE, apart, ask, url

if TYPE_CHECKING:
    from db.values import Job

__all__ = ["apart", "url"]
Told = pytest.CaptureFixture[str]


def put(url: str, job: Job, state: JobState) -> None:
    """Bring a job where a runner would have brought it."""
    now = SystemClock().now()
    run_once(
        url,
        lambda c: queries.advance_job(
            c, job.id, from_states=frozenset(JobState), to=state, now=now, event="job.put"
        ),
    )


def find(url: str, job: Job) -> Job:
    found = run_once(url, lambda c: queries.find_job(c, job.id))
    assert found is not None
    return found


def lines_of(told: Told, *arguments: str) -> list[str]:
    # What the test's own bot logged until now.
    told.readouterr()
    assert cli.main(["jobs", *arguments]) == 0
    return told.readouterr().out.splitlines()


def refused(told: Told, *arguments: str) -> str:
    told.readouterr()
    assert cli.main(["jobs", *arguments]) == 1
    return told.readouterr().err.strip()


def assert_books_agree(url: str) -> None:
    assert run_once(url, audit.find_differences) == []


def test_open_jobs_are_listed_and_ended_ones_only_when_asked_for(url: str, capsys: Told) -> None:
    assert lines_of(capsys, "list") == ["No job is open."]
    waiting, ended = ask(url), ask(url, 2)
    assert cli.main(["jobs", "void", ended.id]) == 0
    capsys.readouterr()
    heading, row = lines_of(capsys, "list")
    assert heading.split()[:2] == ["job", "state"]
    assert row.split()[:2] == [waiting.id, "reserved"]
    assert row.endswith(f"{GUILD} {MEMBER} {PRICE}       in line")
    (_, only) = lines_of(capsys, "list", "--state", "ended", "--member", str(MEMBER))
    assert only.split()[:2] == [ended.id, "failed"]
    assert only.endswith("0       operator")
    assert [line[:20] for line in lines_of(capsys, "list", "--state", "all")[1:]] == [waiting.id, ended.id]
    assert lines_of(capsys, "list", "--state", "all", "--server", "5") == ["There are no jobs."]
    assert len(lines_of(capsys, "list", "--state", "all", "--limit", "1")) == 2


def test_one_job_is_shown_without_its_prompt(url: str, capsys: Told) -> None:
    job = ask(url)
    shown = lines_of(capsys, "show", job.id)
    assert f"state       {JobState.RESERVED.value}" in shown
    assert any("job.reserved" in line for line in shown)
    assert any(line.endswith(f"reserve  {PRICE}") for line in shown)
    assert "lantern" not in "\n".join(shown)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_an_open_job_is_called_off_wherever_it_stands(url: str, capsys: Told, state: JobState) -> None:
    job = ask(url)
    put(url, job, state)
    line, *more = lines_of(capsys, "void", job.id)
    # A post that is on its way cannot be called back.
    assert [str(CHANNEL) in one for one in more] == [True] * (state is JobState.DELIVERING)
    assert f"{PRICE} credits returned to member {MEMBER}" in line
    ended = find(url, job)
    assert (ended.state, ended.failure) == (GIVEN_UP[state], "operator")
    # Whoever owned it finds its writes without effect.
    assert ended.epoch == job.epoch + 1
    now = SystemClock().now()
    assert run_once(url, lambda c: queries.list_untold(c, job.created_at, now, 5)) == [ended]
    assert_books_agree(url)
    assert "has ended already" in refused(capsys, "void", job.id)


def test_a_job_without_a_picture_is_asked_for_again_once(url: str, capsys: Told) -> None:
    job = ask(url)
    cli.main(["jobs", "void", job.id])
    capsys.readouterr()
    first = lines_of(capsys, "retry", job.id)
    assert lines_of(capsys, "retry", job.id) == first
    (again,) = run_once(url, lambda c: queries.list_jobs(c, OPEN, limit=5))
    assert first == [f"Job {again.id} is in line for member {MEMBER}, with {PRICE} credits held."]
    same = ("prompt", "kind", "seed", "guild_id", "channel_id", "user_id", "delivery", "locale", "private")
    assert [getattr(again, name) for name in same] == [getattr(job, name) for name in same]
    assert again.channel_id == CHANNEL
    assert_books_agree(url)


def test_a_retry_obeys_the_members_cap(url: str, capsys: Told) -> None:
    job = ask(url)
    cli.main(["jobs", "void", job.id])
    ask(url, 2)
    ask(url, 3)
    capsys.readouterr()
    assert "left" in refused(capsys, "retry", job.id)
    # Said again for ever it would look as if the job were in line.
    (new,) = run_once(url, lambda c: queries.list_jobs(c, {JobState.REFUSED}, limit=5))
    assert f"kvid-bot jobs retry {new.id}" in refused(capsys, "retry", job.id)
    assert "left" in refused(capsys, "retry", new.id)
    assert_books_agree(url)


def test_a_second_try_that_ended_is_tried_again_by_its_own_id(url: str, capsys: Told) -> None:
    job = ask(url)
    cli.main(["jobs", "void", job.id])
    cli.main(["jobs", "retry", job.id])
    (again,) = run_once(url, lambda c: queries.list_jobs(c, OPEN, limit=5))
    cli.main(["jobs", "void", again.id])
    assert f"kvid-bot jobs retry {again.id}" in refused(capsys, "retry", job.id)
    assert "is in line" in lines_of(capsys, "retry", again.id)[0]


def test_what_cannot_be_done_says_why_and_what_to_do(url: str, capsys: Told) -> None:
    job = ask(url)
    assert f"To end it: kvid-bot jobs void {job.id}" in refused(capsys, "retry", job.id)
    for act in ("show", "retry", "void"):
        assert "See: kvid-bot jobs list --state all" in refused(capsys, act, "0" * 20)
        with pytest.raises(SystemExit) as ended:
            cli.main(["jobs", act, "nonsense"])
        assert ended.value.code == 2
        assert "kvid-bot jobs list" in capsys.readouterr().err
    put(url, job, JobState.DELIVERED)
    assert "has its picture" in refused(capsys, "retry", job.id)
    with pytest.raises(SystemExit):
        cli.main(["jobs", "list", "--limit", "0"])
