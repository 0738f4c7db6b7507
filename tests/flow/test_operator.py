"""The operator's command line beside the running bot: it obeys with its next decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.flow.conftest import only_sqlite
from tests.support.cli import run_cli
from tests.support.member import Member, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flow.conftest import Stack


async def run(stack: Stack, folder: Path, *arguments: str) -> str:
    """The database's address is all that the command is given."""
    code, printed = await run_cli(
        "credits", *arguments, folder=folder, keys={}, DATABASE_URL=stack.database_url
    )
    assert code == 0, printed
    return printed


async def ask(member: Member, said: str) -> str:
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="a paper lantern")
    return text_of(await member.wait_for_text(studio, said, after=newest))


async def picture(member: Member) -> None:
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="a paper lantern")
    await member.wait_for_result(studio, after=newest)
    # Seen a moment before it is charged.
    await member.wait_for_text(studio, "Here it is", after=newest)


async def test_a_stop_closes_the_studio_at_once_and_a_resume_opens_it(stack: Stack, tmp_path: Path) -> None:
    member = await stack.member()
    await picture(member)
    await run(stack, tmp_path, "stop", "--reason", "the bill")
    submits = (await stack.servers.kvid_books())["submits"]
    assert "closed by its operator" in await ask(member, "Nothing was charged")
    assert (await stack.servers.kvid_books())["submits"] == submits
    assert (await stack.usage(member)).held_credits == 0
    shown = await run(stack, tmp_path, "show")
    assert "the bill" in shown
    await run(stack, tmp_path, "resume")
    await picture(member)
    await stack.assert_books_agree()


@only_sqlite
async def test_a_budget_of_one_server_counts_at_once(stack: Stack, tmp_path: Path) -> None:
    member = await stack.member()
    guild = str(member.state["guild"]["id"])
    await picture(member)
    printed = await run(stack, tmp_path, "budget", "--server", guild, "--amount", "8")
    assert printed == f"Server {guild} may use 8 credits per month.\n"
    assert "this server has 0 of 8 left this month" in await ask(member, "Nothing was charged")
    await run(stack, tmp_path, "budget", "--server", guild, "--default")
    await picture(member)


@only_sqlite
async def test_what_kvid_reports_beyond_the_charge_is_counted_for_the_operator(
    stack: Stack, tmp_path: Path
) -> None:
    member = await stack.member()
    await stack.servers.kvid_fault("result", {"used_credit": 13})
    await picture(member)
    [line] = stack.bot.events("job.finished")
    assert (line["credits"], line["excess"]) == (8, 5)
    assert "your share  5 credits in 1 job(s)" in await run(stack, tmp_path, "show")
