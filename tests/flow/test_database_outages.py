"""The database goes away under the running bot: members hear "one moment", jobs wait, and nothing is lost."""

from __future__ import annotations

import asyncio
import resource
import shutil
import sqlite3
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.credits import audit
from bot.i18n import Catalogue
from db import migrate
from db.engine import Database
from tests.support.databases import run_restartable_postgres
from tests.support.member import Member, pictures_of
from tests.support.process import run_bot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.process import BotProcess
    from tests.support.servers import Servers

ONE_MOMENT = Catalogue.load().text("en-US", "error.one_moment")
# A bot that waits for a connection or a lock answers a little later.
ANSWER_S = 120.0


async def ask(member: Member, prompt: str) -> None:
    await member.slash(member.channel("studio"), "imagine", prompt=prompt, width=256, height=256)


async def hears_one_moment(member: Member, prompt: str) -> None:
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await ask(member, prompt)
    answer = await member.wait_for_text(studio, ONE_MOMENT, after=newest, timeout_s=ANSWER_S)
    assert answer["ephemeral_to"] == member.user_id


async def gets_picture(member: Member, prompt: str) -> None:
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await ask(member, prompt)
    await member.wait_for_result(studio, after=newest, timeout_s=ANSWER_S)


async def count_pictures(member: Member) -> int:
    return sum(bool(pictures_of(message)) for message in await member.messages(member.channel("studio")))


@asynccontextmanager
async def running(servers: Servers, url: str, folder: Path) -> AsyncIterator[BotProcess]:
    await asyncio.to_thread(migrate.upgrade, url)
    async with run_bot(servers, url, folder / "bot.log") as bot:
        yield bot
        database = Database(url)
        try:
            assert await database.read(audit.find_differences) == []
        finally:
            await database.close()
    assert bot.events("database.away")
    assert not bot.events("incident.opened")


async def test_postgresql_restarts_under_the_bot(servers: Servers, tmp_path: Path) -> None:
    """A job at kvid waits until its end can be written down; intake says so and goes on by itself."""
    folder = Path(tempfile.mkdtemp(prefix="kvid-bot-pg-"))
    try:
        with run_restartable_postgres(folder) as postgres:
            url = postgres.server.create("bot")
            async with running(servers, url, tmp_path):
                member = await Member.join(servers)
                studio = member.channel("studio")
                newest = await member.newest_id(studio)
                async with servers.kvid_held():
                    await ask(member, "made while the books are shut")
                    await member.wait_for_text(studio, "Making your picture", after=newest)
                    postgres.stop()
                other = await Member.join(servers, skip=1)
                await hears_one_moment(other, "too early")
                postgres.start()
                await member.wait_for_result(studio, after=newest, timeout_s=ANSWER_S)
                await gets_picture(other, "late enough")
                assert await count_pictures(member) == 2
    finally:
        shutil.rmtree(folder)


async def test_a_locked_sqlite_file_is_waited_for(servers: Servers, tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    async with running(servers, f"sqlite:///{path}", tmp_path):
        member = await Member.join(servers)
        holder = sqlite3.connect(path, isolation_level=None)
        try:
            holder.execute("BEGIN IMMEDIATE")
            await hears_one_moment(member, "too early")
        finally:
            holder.close()
        await gets_picture(member, "late enough")
        assert await count_pictures(member) == 1


async def test_a_full_disk_under_sqlite_passes(servers: Servers, tmp_path: Path) -> None:
    """No file of the process may grow any more, until there is room again."""
    path = tmp_path / "bot.db"
    async with running(servers, f"sqlite:///{path}", tmp_path) as bot:
        member = await Member.join(servers)
        await gets_picture(member, "before")
        log = path.with_name("bot.db-wal").stat().st_size
        _, hard = resource.prlimit(bot.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(bot.process.pid, resource.RLIMIT_FSIZE, (log, hard))
        try:
            await hears_one_moment(member, "too early")
        finally:
            resource.prlimit(bot.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        await gets_picture(member, "late enough")
        assert await count_pictures(member) == 2
