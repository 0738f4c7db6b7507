"""The whole thing: the real bot process between the local Discord and the local kvid."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from bot.credits import audit, spending
from db.engine import Database
from db.queries import jobs as queries
from tests.support import openapi
from tests.support.member import Member
from tests.support.process import run_bot
from tests.support.servers import LOOK_S, run_servers
from tests.support.sight import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.credits.values import Usage
    from db.values import Job
    from tests.support.process import BotProcess
    from tests.support.servers import Servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    servers: Servers
    bot: BotProcess
    database: Database
    database_url: str

    async def member(self, *, moderator: bool = False, skip: int = 0) -> Member:
        return await Member.join(self.servers, moderator=moderator, skip=skip)

    async def usage(self, member: Member) -> Usage:
        now = datetime.now(UTC)
        return await self.database.read(
            lambda c: spending.find_usage(c, user_id=int(member.user_id), now=now)
        )

    async def until_charged(self, member: Member) -> None:
        """A picture is seen a moment before its delivery is written down: quicker than a hand, not than a test."""
        async with asyncio.timeout(WAIT_S):
            while (await self.usage(member)).held_credits:  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(LOOK_S)

    async def last_job(self, member: Member) -> Job:
        jobs = await self.database.read(lambda c: queries.list_recent_jobs(c, int(member.user_id), 1))
        return jobs[0]

    async def assert_books_agree(self) -> None:
        """Our ledger is sound, and what we charged is what kvid charged."""
        assert await self.database.read(audit.find_differences) == []


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with run_servers() as running:
        yield running
        if openapi.is_present():
            problems = openapi.find_problems(await running.bot_requests())
            assert not problems, "\n".join(problems)


@pytest.fixture
async def stack(
    servers: Servers, database: Database, database_url: str, tmp_path: Path
) -> AsyncIterator[Stack]:
    """Everything running, once on SQLite and once on PostgreSQL."""
    async with run_bot(servers, database_url, tmp_path / "bot.log") as bot:
        yield Stack(servers=servers, bot=bot, database=database, database_url=database_url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> AsyncIterator[Stack]:
    """One running stack on SQLite for all tests of a module; each test acts and looks in its own corner."""
    folder = tmp_path_factory.mktemp("shared")
    url = f"sqlite:///{shutil.copy(migrated_file, folder / 'bot.db')}"
    database = Database(url)
    async with run_servers() as servers, run_bot(servers, url, folder / "bot.log") as bot:
        yield Stack(servers=servers, bot=bot, database=database, database_url=url)
        if openapi.is_present():
            problems = openapi.find_problems(await servers.bot_requests())
            assert not problems, "\n".join(problems)
        assert await database.read(audit.find_differences) == []
        assert not bot.events("task.failed")
    await database.close()


only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
