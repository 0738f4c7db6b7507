"""The next version's processes beside this one's, on the tables that the next version's migration has changed."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.support.books import compare, read_account
from tests.support.crowd import Crowd
from tests.support.process import START_S, BotProcess, environment, start_bot, start_worker

if TYPE_CHECKING:
    from db.engine import Database
    from tests.support.servers import Servers

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

ROOT = Path(__file__).parents[2]
NEXT = '''"""What a next version may add."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{after}", "{head}", None, None


def upgrade() -> None:
    op.add_column("job", sa.Column("wish", sa.Text))


def downgrade() -> None:
    op.drop_column("job", "wish")
'''
HEAD = text("SELECT version_num FROM alembic_version")


def make_next_version(folder: Path, head: str) -> str:
    """A copy of this version with one migration more. Returns its revision."""
    after = f"{int(head) + 1:04}"
    for package in ("bot", "cogs", "db"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "db/migrations/versions/r9999_next.py").write_text(NEXT.format(head=head, after=after), "utf-8")
    return after


async def start_next(folder: Path, settings: dict[str, str], *arguments: str) -> BotProcess:
    log_path = folder / "next.log"
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run", *arguments),
            cwd=folder,
            env={**settings, "PYTHONPATH": os.fspath(folder)},
            stdout=log,
            stderr=log,
        )
    bot = BotProcess(process, log_path)
    async with asyncio.timeout(START_S):
        while not bot.events("service.started"):
            assert process.returncode is None, bot.log_text()
            await asyncio.sleep(0.05)
    return bot


async def test_two_versions_work_side_by_side_until_the_old_one_is_gone(
    servers: Servers, database: Database, database_url: str, tmp_path: Path
) -> None:
    await servers.set_kvid(render_s=0.3)
    after = make_next_version(tmp_path, await database.read(lambda c: c.execute(HEAD).scalar_one()))
    worker, gateway = ["--role", "worker"], ["--role", "gateway", "--shards", "0-0/1"]
    started = [
        await start_worker(servers, database_url, tmp_path / "worker.log", arguments=worker),
        await start_bot(servers, database_url, tmp_path / "gateway.log", arguments=gateway),
    ]
    try:
        crowd = await Crowd.gather(servers, guilds=2, members=4, channels=1)
        started.append(await start_next(tmp_path, environment(servers, database_url), *worker))
        assert await database.read(lambda c: c.execute(HEAD).scalar_one()) == after
        acts = await crowd.make(12, width=256, height=256)
        # One of this version that starts only now meets the newer tables, too.
        again = await start_worker(servers, database_url, tmp_path / "again.log", arguments=worker)
        started.append(again)
        assert await started[0].stop() == 0
        acts += await crowd.make(4, width=256, height=256)
        assert await again.stop() == 0
        acts += await crowd.make(4, width=256, height=256)
    finally:
        codes = [await process.stop() for process in started]
    logs = "\n".join(process.log_text() for process in started)
    assert [act.ended for act in acts] == ["picture"] * 20, logs
    assert codes == [0] * 4, logs
    assert "Traceback" not in logs
    finished = [len(process.events("job.finished")) for process in started]
    assert sum(finished) == 20
    assert min(finished[0], finished[2]) > 0
    books = compare(
        await database.read(read_account), await servers.kvid_books(), await servers.discord_books()
    )
    assert books.findings == ()
