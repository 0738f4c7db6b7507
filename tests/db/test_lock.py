"""One process per database: who has the lock, who waits, and what happens when it is lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from bot.only_one import LOOK_INTERVAL_S, REFUSALS_MAX, WAIT_S, AlreadyRunning, OnlyOne
from db.engine import run_once
from db.lock import build_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db.lock import ProcessLock

HOLD = (
    "import sys; from db.lock import build_lock; print(build_lock(sys.argv[1]).take(), flush=True); input()"
)
END_SESSIONS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class StepClock:
    """Sleeps take no time, and each waits until it is let through; the hands move on by it."""

    def __init__(self, *, steps: int) -> None:
        self._steps = asyncio.Semaphore(steps)
        self._now_s = 0.0
        self.asleep = asyncio.Event()

    def let(self, steps: int) -> None:
        self.asleep.clear()
        for _ in range(steps):
            self._steps.release()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self._now_s

    async def sleep(self, delay_s: float) -> None:
        if self._steps.locked():
            self.asleep.set()
        await self._steps.acquire()
        self._now_s += delay_s


@pytest.fixture
def locks(empty_database_url: str) -> Iterator[tuple[ProcessLock, ProcessLock]]:
    both = (build_lock(empty_database_url), build_lock(empty_database_url))
    yield both
    for lock in both:
        lock.release()


def lose(url: str) -> None:
    """Take the lock away from under its holder."""
    if url.startswith("sqlite"):
        Path(f"{url.removeprefix('sqlite:///')}.lock").unlink()
    else:
        run_once(url, lambda c: c.execute(END_SESSIONS))


def test_the_second_has_to_wait_until_the_first_lets_go(locks: tuple[ProcessLock, ProcessLock]) -> None:
    first, second = locks
    assert not first.is_held()
    assert first.take()
    assert first.is_held()
    assert not second.take()
    assert not second.is_held()
    assert first.take(), "taking again what is one's own"
    first.release()
    first.release()
    assert second.take()
    assert not first.take()


@pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)
def test_a_fleet_shares_the_lock_and_leaves_no_room_for_one_alone(empty_database_url: str) -> None:
    alone = build_lock(empty_database_url)
    fleet = [build_lock(empty_database_url, shared=True) for _ in range(2)]
    try:
        assert [lock.take() for lock in fleet] == [True, True]
        assert not alone.take()
        fleet[0].release()
        assert not alone.take()
        fleet[1].release()
        assert alone.take()
        assert [lock.take() for lock in fleet] == [False, False]
    finally:
        for lock in (alone, *fleet):
            lock.release()


def test_a_sqlite_database_is_not_shared() -> None:
    with pytest.raises(ValueError, match="one process"):
        build_lock("sqlite:///bot.db", shared=True)


def test_a_killed_holder_holds_nothing(empty_database_url: str) -> None:
    """Nothing has to be cleaned up after kill -9."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, empty_database_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        lock = build_lock(empty_database_url)
        assert not lock.take()
        holder.kill()
        holder.wait()
        end = time.monotonic() + 30
        while not lock.take():
            # PostgreSQL notices at once, but by itself.
            assert time.monotonic() < end
            time.sleep(0.01)
        lock.release()


def test_a_lost_lock_is_noticed_and_can_be_taken_again(
    empty_database_url: str, locks: tuple[ProcessLock, ProcessLock]
) -> None:
    first, second = locks
    assert first.take()
    lose(empty_database_url)
    assert not first.is_held()
    assert first.take()
    assert first.is_held()
    assert not second.take()


@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
def test_two_links_to_one_file_share_its_lock(
    empty_database_url: str, locks: tuple[ProcessLock, ProcessLock], tmp_path: Path
) -> None:
    assert locks[0].take()
    (tmp_path / "link.db").symlink_to(empty_database_url.removeprefix("sqlite:///"))
    assert not build_lock(f"sqlite:///{tmp_path / 'link.db'}").take()


@pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)
def test_the_lock_outlives_the_limit_on_idle_transactions(
    empty_database_url: str, locks: tuple[ProcessLock, ProcessLock]
) -> None:
    assert locks[0].take()
    states = run_once(
        empty_database_url,
        lambda c: c.execute(
            text("SELECT state FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory'")
        ).all(),
    )
    assert [state for (state,) in states] == ["idle"]


def test_a_lock_that_cannot_be_had_at_all_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        build_lock(f"sqlite:///{tmp_path}/file/x.db").take()
    lock = build_lock(f"postgresql://u@/x?host={tmp_path}")
    with pytest.raises(OperationalError):
        lock.take()
    lock.release()


async def test_a_successor_waits_for_a_while_and_then_gives_up(
    locks: tuple[ProcessLock, ProcessLock],
) -> None:
    assert locks[0].take()
    clock = StepClock(steps=1_000)
    with capture_logs() as said, pytest.raises(AlreadyRunning):
        await OnlyOne(locks[1], clock).take()
    assert WAIT_S <= clock.monotonic() <= WAIT_S + 2 * LOOK_INTERVAL_S
    assert [line["event"] for line in said] == ["lock.awaited"]


async def test_a_successor_goes_on_as_soon_as_the_other_has_left(
    locks: tuple[ProcessLock, ProcessLock],
) -> None:
    assert locks[0].take()
    clock = StepClock(steps=3)
    successor = OnlyOne(locks[1], clock)
    taking = asyncio.create_task(successor.take())
    async with asyncio.timeout(30):
        await clock.asleep.wait()
        assert not taking.done()
        locks[0].release()
        clock.let(1)
        await taking
    assert locks[1].is_held()
    await successor.release()
    assert locks[0].take()


async def test_the_watch_takes_a_lost_lock_again_and_says_so_once(
    empty_database_url: str, locks: tuple[ProcessLock, ProcessLock]
) -> None:
    ours, theirs = locks
    clock = StepClock(steps=0)
    watched = OnlyOne(ours, clock)
    await watched.take()

    async def look(times: int) -> None:
        clock.let(times)
        async with asyncio.timeout(30):
            await clock.asleep.wait()

    with capture_logs() as said:
        await look(2)
        assert said == []
        lose(empty_database_url)
        await look(3)
        assert [line["event"] for line in said] == ["lock.lost", "lock.taken_again"]
        assert ours.is_held()
        assert not theirs.take()
    await watched.release()


async def test_who_lost_the_lock_to_another_process_stops(
    empty_database_url: str, locks: tuple[ProcessLock, ProcessLock]
) -> None:
    """Two at work would take each other's running jobs for left-overs."""
    ours, theirs = locks
    clock = StepClock(steps=0)
    watched = OnlyOne(ours, clock)
    taken_away = asyncio.Event()
    watched.on_taken_away = taken_away.set
    await watched.take()
    lose(empty_database_url)
    assert theirs.take()
    with capture_logs() as said:
        clock.let(REFUSALS_MAX + 1)
        async with asyncio.timeout(30):
            await taken_away.wait()
    assert [line["event"] for line in said] == ["lock.lost", "lock.taken_away"]
    await watched.release()
    assert not ours.is_held()


async def test_a_database_that_does_not_answer_does_not_end_the_watch() -> None:
    class Failing:
        def __init__(self) -> None:
            self.answers: list[bool | Exception] = [
                True,
                OSError(),
                OperationalError("", None, Exception()),
                True,
            ]

        def take(self) -> bool:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        def is_held(self) -> bool:
            return len(self.answers) == 0

        def release(self) -> None: ...

    lock, clock = Failing(), StepClock(steps=3)
    watched = OnlyOne(lock, clock)
    with capture_logs() as said:
        await watched.take()
        async with asyncio.timeout(30):
            await clock.asleep.wait()
        await watched.release()
    assert [line["event"] for line in said] == ["lock.lost", "lock.taken_again"]
