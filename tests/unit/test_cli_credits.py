"""`kvid-bot credits`: what it shows, what it does, what the audit log keeps of it, and what it refuses."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot import cli
from bot.caps.overview import Overview
from bot.caps.policies import OPERATOR_ID, Policies
from bot.clock import SystemClock
from bot.credits import audit, ledger
from bot.errors import Refused
from bot.ids import new_transfer_id
from db.engine import Database, run_once
from db.enums import AuditAction
from db.queries import grants as grant_queries
from db.queries import servers as queries
from tests.db.builders import settle
from tests.unit.operator_desk import GUILD, MEMBER, PRICE, ROLE, apart, ask, url

if TYPE_CHECKING:
    from bot.caps.values import Policy
    from db.values import AuditEntry, Job

__all__ = ["apart", "url"]

Told = pytest.CaptureFixture[str]


def deliver(url: str, job: Job, reported: int = PRICE) -> None:
    run_once(url, lambda c: settle(c, job, reported, now=SystemClock().now()))


def entries(url: str, guild_id: int = GUILD) -> list[AuditEntry]:
    return run_once(url, lambda c: queries.list_entries(c, guild_id, limit=50))


def say(told: Told, *arguments: str) -> dict[str, str]:
    """Run `credits show`, and read its lines by their first words."""
    assert cli.main(["credits", "show", *arguments]) == 0
    lines = told.readouterr().out.splitlines()
    return {line[:12].strip(): line[12:] for line in lines}


def test_totals_name_what_the_operator_bears(url: str, capsys: Told) -> None:
    assert say(capsys)["your share"].startswith("0 credits in 0 job(s)")
    deliver(url, ask(url), reported=PRICE + 5)
    ask(url, request_id=2)
    shown = say(capsys)
    assert shown["servers"] == "1"
    assert shown["members"] == "1 have asked for pictures"
    assert shown["ever"] == f"{PRICE} used, 0 given back, so {PRICE} paid by members"
    assert shown["held"] == f"{PRICE} credits for 1 job(s) on their way"
    assert shown["your share"] == "5 credits in 1 job(s): reported by kvid, charged to nobody"
    assert shown["stopped"] == "no"


def test_one_server_and_one_member_are_shown(url: str, capsys: Told) -> None:
    deliver(url, ask(url))
    server = say(capsys, "--server", str(GUILD))
    assert server["this month"] == f"{PRICE} used, 0 held, of unlimited (Asia/Seoul)"
    assert server["member cap"] == "20 credits a day"
    there = say(capsys, "--server", str(GUILD), "--member", str(MEMBER))
    assert there["this week"] == f"{PRICE} paid, 0 held"
    assert there["cap"] == "20 credits a day, before their roles"
    everywhere = say(capsys, "--member", str(MEMBER))
    assert everywhere["this month"] == f"{PRICE} used, 0 held"
    assert "cap" not in everywhere
    assert "this week" not in everywhere


def test_after_a_refund_what_was_used_and_what_was_paid_agree_wherever_they_are_shown(
    url: str, capsys: Told
) -> None:
    first = ask(url)
    deliver(url, first)
    deliver(url, ask(url, 2))
    now = SystemClock().now()
    run_once(
        url,
        lambda c: ledger.refund(
            c, transfer_id=new_transfer_id(), job_id=first.id, actor_id=1, reason=None, now=now
        ),
    )
    server, member = ["--server", str(GUILD)], ["--member", str(MEMBER)]
    for arguments in ([], server, member, server + member):
        ever = say(capsys, *arguments)["ever"]
        assert ever == f"{2 * PRICE} used, {PRICE} given back, so {PRICE} paid by members"
    assert say(capsys, *server)["this month"].startswith(f"{2 * PRICE} used")
    assert say(capsys, *member)["this day"].startswith(f"{2 * PRICE} used")
    assert say(capsys, *server, *member)["this day"].startswith(f"{PRICE} paid")


def test_a_grant_is_made_shown_and_written_down(url: str, capsys: Told) -> None:
    arguments = ["--server", str(GUILD), "--amount", "30", "--days", "7", "--reason", "lost  a picture"]
    assert cli.main(["credits", "grant", "--member", str(MEMBER), *arguments]) == 0
    assert f"Granted 30 credits to member {MEMBER}, until " in capsys.readouterr().out
    (made,) = run_once(url, lambda c: grant_queries.list_grants(c, GUILD, MEMBER, 10))
    assert (made.amount_credits, made.granted_by, made.reason) == (30, OPERATOR_ID, "lost a picture")
    assert made.expires_at is not None
    assert round((made.expires_at - made.created_at) / timedelta(days=1), 3) == 7
    assert "30 of 30 left" in say(capsys, "--server", str(GUILD), "--member", str(MEMBER))["granted"]
    (entry,) = entries(url)
    assert (entry.action, entry.actor_id, entry.target_id) == (AuditAction.GRANT, OPERATOR_ID, MEMBER)
    assert entry.reason == "lost a picture"


@pytest.mark.parametrize("reason", ["👩‍🎤 of the week", "می‌خواهم", "🏴󠁧󠁢󠁳󠁣󠁴󠁿 fans"])
def test_a_reason_may_have_joined_characters(url: str, reason: str) -> None:
    assert cli.main(["credits", "stop", "--reason", reason]) == 0
    assert entries(url, OPERATOR_ID)[0].reason == reason


def test_a_role_is_offered_credits(url: str, capsys: Told) -> None:
    arguments = ["--server", str(GUILD), "--role", str(ROLE), "--amount", "5", "--reason", "party"]
    assert cli.main(["credits", "grant", *arguments]) == 0
    assert f"Offered 5 credits to everybody with role {ROLE} (offer " in capsys.readouterr().out
    now = SystemClock().now()
    (offer,) = run_once(url, lambda c: grant_queries.list_role_grants(c, GUILD, now, 10))
    assert (offer.role_id, offer.amount_credits, offer.expires_at) == (ROLE, 5, None)
    assert entries(url)[0].action is AuditAction.ROLE_GRANT


def test_a_reset_starts_every_period_over_and_the_ledger_agrees(url: str, capsys: Told) -> None:
    deliver(url, ask(url))
    deliver(url, ask(url, 2))
    with pytest.raises(Refused, match="cap_day"):
        ask(url, 3)
    arguments = ["credits", "reset", "--server", str(GUILD), "--member", str(MEMBER), "--reason", "sorry"]
    assert cli.main(arguments) == 0
    told = capsys.readouterr().out
    assert "16 of this day, 16 of this week, 16 of this month no longer count" in told
    assert "cannot be taken back" in told
    ask(url, 4)
    assert run_once(url, audit.find_differences) == []
    (entry,) = entries(url)
    assert (entry.action, entry.target_id, entry.reason) == (AuditAction.RESET, MEMBER, "sorry")
    assert entry.before == {"used_credits": 16, "used_day": 16, "used_week": 16, "used_month": 16}
    assert cli.main(arguments) == 0
    assert "Nothing was changed" in capsys.readouterr().out
    assert len(entries(url)) == 1


def test_a_stop_refuses_the_next_request_until_it_is_lifted(url: str, capsys: Told) -> None:
    assert cli.main(["credits", "stop", "--reason", "kvid bill"]) == 0
    assert "kvid-bot credits resume" in capsys.readouterr().out
    assert say(capsys)["stopped"].endswith("UTC: kvid bill")
    with pytest.raises(Refused, match="stopped"):
        ask(url)
    assert cli.main(["credits", "stop", "--reason", "again"]) == 0
    assert "already" in capsys.readouterr().out
    assert cli.main(["credits", "resume"]) == 0
    assert "Jobs are taken again" in capsys.readouterr().out
    ask(url, 2)
    assert cli.main(["credits", "resume"]) == 0
    assert capsys.readouterr().out == "Nothing was stopped.\n"
    stopped, resumed = entries(url, OPERATOR_ID)
    assert (stopped.before, stopped.after, stopped.reason) == (
        {"stopped": False},
        {"stopped": True},
        "kvid bill",
    )
    assert (resumed.before, resumed.after) == ({"stopped": True}, {"stopped": False})


def test_one_server_has_a_budget_of_its_own(monkeypatch: pytest.MonkeyPatch, url: str, capsys: Told) -> None:
    monkeypatch.setenv("SERVER_MONTHLY_CREDITS", "100")
    assert say(capsys, "--server", str(GUILD))["this month"].endswith("of 100 credits (Asia/Seoul)")
    budget = ["credits", "budget", "--server", str(GUILD)]
    assert cli.main([*budget, "--amount", str(PRICE), "--reason", "a small one"]) == 0
    assert capsys.readouterr().out == f"Server {GUILD} may use {PRICE} credits per month.\n"
    ask(url)
    with pytest.raises(Refused, match="server_monthly"):
        ask(url, 2)
    assert cli.main([*budget, "--default"]) == 0
    assert capsys.readouterr().out == f"Server {GUILD} may use 100 credits per month.\n"
    ask(url, 3)
    first, second = entries(url)
    assert (first.before, first.after) == (
        {"operator_budget_credits": None},
        {"operator_budget_credits": PRICE},
    )
    assert second.after == {"operator_budget_credits": None}


def test_a_moderator_can_neither_change_nor_undo_what_the_operator_set(url: str, capsys: Told) -> None:
    assert cli.main(["credits", "budget", "--server", str(GUILD), "--amount", "50"]) == 0
    (entry,) = entries(url)

    async def act() -> Policy:
        database, clock = Database(url), SystemClock()
        policies = Policies(database, clock)
        try:
            await Overview(database, clock, policies).undo(GUILD, MEMBER, entry.id, locale=None)
            await policies.change(
                GUILD, MEMBER, lambda policy: replace(policy, operator_budget_credits=9999), subject="x"
            )
            return await policies.find(GUILD)
        finally:
            await database.close()

    assert asyncio.run(act()).operator_budget_credits == 50
    assert entries(url) == [entry]
    assert say(capsys, "--server", str(GUILD))["this month"].endswith("of 50 credits (Asia/Seoul)")


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "--server", "1"],
        ["show", "--server", "1", "--member", "2"],
        ["grant", "--server", "1", "--member", "2", "--amount", "1", "--reason", "x"],
        ["reset", "--server", "1", "--member", "2", "--reason", "x"],
        ["budget", "--server", "1", "--amount", "1"],
    ],
)
def test_an_unknown_server_ends_with_1_and_one_line(url: str, capsys: Told, arguments: list[str]) -> None:
    assert cli.main(["credits", *arguments]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("kvid-bot: No server has the id 1, or the bot has never been in it.")
    assert told.err.endswith("Copy Server ID\n")
    assert entries(url, 1) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["grant", "--server", "x", "--member", "2", "--amount", "1", "--reason", "x"], "an id is a number"),
        (["grant", "--server", "1", "--member", str(2**63), "--amount", "1", "--reason", "x"], "an id is"),
        (["grant", "--server", "1", "--member", "2", "--amount", "0", "--reason", "x"], "from 1 to 1000000"),
        (["grant", "--server", "1", "--member", "2", "--amount", "1e3", "--reason", "x"], "whole number"),
        (["grant", "--server", "1", "--member", "2", "--amount", "1", "--reason", " "], "a reason is"),
        (["grant", "--server", "1", "--member", "2", "--amount", "1", "--reason", "x" * 201], "at most 200"),
        (["stop", "--reason", "a\u202eb"], "cannot be seen"),
        (["stop", "--reason", "a\x1b[2Jb"], "cannot be seen"),
        (["grant", "--server", "1", "--member", "2", "--amount", "1"], "--reason"),
        (["grant", "--server", "1", "--amount", "1", "--reason", "x"], "--member --role"),
        (
            ["grant", "--server", "1", "--member", "2", "--role", "3", "--amount", "1", "--reason", "x"],
            "not allowed",
        ),
        (
            ["grant", "--server", "1", "--member", "2", "--amount", "1", "--days", "0", "--reason", "x"],
            "days are",
        ),
        (["reset", "--server", "1", "--member", "2"], "--reason"),
        (["stop"], "--reason"),
        (["budget", "--server", "1"], "--amount --default"),
        (["budget", "--server", "1", "--amount", "-1"], "--amount"),
        ([], "act"),
    ],
)
def test_arguments_that_cannot_be_used_end_with_2_and_the_mend(
    capsys: Told, arguments: list[str], reason: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["credits", *arguments])
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


def test_a_database_without_tables_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Told, empty_database_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    assert cli.main(["credits", "show"]) == 1
    assert "kvid-bot db upgrade" in capsys.readouterr().err
