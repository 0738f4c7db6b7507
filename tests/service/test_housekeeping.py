"""What happens because time passed, on a real database: once, also with two processes at it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from bot import housekeeping
from bot.caps.service import Caps
from bot.caps.values import OperatorLimits
from bot.credits import audit
from bot.credits import grants as credit_grants
from bot.credits.values import Outrun
from bot.housekeeping import INTERVAL_S, Housekeeping
from bot.timers import Timers
from db.enums import AuditAction, TransferKind
from db.models import SERVER, TRANSFER
from db.queries import grants as grant_queries
from db.queries import servers as queries
from tests.service.doubles import MovedClock, wait_until
from tests.service.world import GUILD, MEMBER

if TYPE_CHECKING:
    from db.engine import Database
    from db.values import CreditGrant

MODERATOR = 10**18 + 90
DAY_S = 86_400.0


class House:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = MovedClock()
        self.caps = Caps(database, self.clock, OperatorLimits())
        self.keeping = Housekeeping(database, self.clock, Timers(database, self.clock))

    async def grant(self, *, days: float | None, user_id: int = MEMBER) -> CreditGrant:
        expires_at = self.clock.now() + timedelta(days=days) if days is not None else None
        return await self.caps.grants.grant(
            GUILD, MODERATOR, user_id, 10, reason="test", expires_at=expires_at
        )

    async def left_of(self, grant: CreditGrant) -> int:
        found = await self.database.read(lambda c: grant_queries.find_grant(c, grant.id))
        assert found is not None
        return found.left_credits

    async def expiries(self) -> int:
        statement = TRANSFER.select().where(TRANSFER.c.kind == TransferKind.EXPIRE)
        return len(await self.database.read(lambda c: c.execute(statement).all()))

    async def note(self, guild_id: int, retention_days: int) -> None:
        """Two lines in the audit log of a server that keeps it so long."""
        for _ in range(2):
            await self.caps.pictures.note(guild_id, MODERATOR, AuditAction.EXPORT, "test")
        await self.caps.policies.change(
            guild_id,
            MODERATOR,
            lambda policy: replace(policy, retention_days=retention_days),
            subject="retention_days",
        )

    async def entries(self, guild_id: int) -> int:
        return len(await self.database.read(lambda c: queries.list_entries(c, guild_id, limit=100)))


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


async def test_a_grant_ends_when_its_time_is_over_and_not_before(house: House) -> None:
    week, month, forever = [await house.grant(days=days) for days in (7, 30, None)]
    await house.keeping.tidy()
    assert await house.expiries() == 0
    house.clock.elapsed_s += 7 * DAY_S
    with capture_logs() as lines:
        await house.keeping.tidy()
    assert [line["count"] for line in lines if line["event"] == "grants.expired"] == [1]
    assert [await house.left_of(one) for one in (week, month, forever)] == [0, 10, 10]
    assert await house.database.read(audit.find_differences) == []


async def test_many_grants_end_in_batches_and_only_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "BATCH_MAX", 2)
    for user_id in range(MEMBER, MEMBER + 5):
        await house.grant(days=1, user_id=user_id)
    house.clock.elapsed_s += 2 * DAY_S
    # Two processes at once, then once more.
    other = Housekeeping(house.database, house.clock, Timers(house.database, house.clock))
    await asyncio.gather(house.keeping.tidy(), other.tidy())
    await house.keeping.tidy()
    assert await house.expiries() == 5
    assert await house.database.read(audit.find_differences) == []


async def test_a_grant_that_somebody_spends_meanwhile_is_left_for_the_next_batch(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = await house.grant(days=1)
    house.clock.elapsed_s += 2 * DAY_S
    expire, outrun = credit_grants.expire, [True]

    def overtaken(*given: Any, **more: Any) -> int:
        if outrun:
            outrun.pop()
            raise Outrun
        return expire(*given, **more)

    monkeypatch.setattr(credit_grants, "expire", overtaken)
    await house.keeping.tidy()
    assert await house.left_of(grant) == 0


async def test_a_server_is_forgotten_after_its_own_retention_time(house: House) -> None:
    short, long, stays = GUILD, GUILD + 1, GUILD + 2
    await house.note(short, 7)
    await house.note(long, 60)
    await house.note(stays, 0)
    for guild_id in (short, long):
        await house.caps.policies.leave(guild_id)
    house.clock.elapsed_s += 6 * DAY_S
    await house.keeping.tidy()
    assert await house.entries(short) == 3
    house.clock.elapsed_s += 1 * DAY_S
    with capture_logs() as lines:
        await house.keeping.tidy()
        await house.keeping.tidy()
    told = [(line["guild"], line["count"]) for line in lines if line["event"] == "audit.forgotten"]
    assert told == [(short, 3)]
    assert [await house.entries(one) for one in (short, long, stays)] == [0, 3, 3]


async def test_a_server_that_took_the_bot_back_keeps_its_log(house: House) -> None:
    await house.note(GUILD, 1)
    await house.caps.policies.leave(GUILD)
    house.clock.elapsed_s += 2 * DAY_S
    await house.caps.policies.meet({GUILD: "ko"}, all_of=lambda _guild_id: True)
    await house.keeping.tidy()
    assert await house.entries(GUILD) == 3
    # The time begins anew with the next leaving.
    await house.caps.policies.leave(GUILD)
    await house.keeping.tidy()
    assert await house.entries(GUILD) == 3


async def test_more_servers_than_a_page_and_more_entries_than_a_batch_go(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "BATCH_MAX", 2)
    servers = [GUILD + number for number in range(5)]
    for guild_id in servers:
        await house.note(guild_id, 0)
        await house.caps.policies.leave(guild_id)
    await house.keeping.tidy()
    assert [await house.entries(one) for one in servers] == [0] * 5


async def test_damaged_settings_of_one_server_do_not_hold_up_the_others(house: House) -> None:
    for guild_id in (GUILD, GUILD + 1):
        await house.note(guild_id, 0)
        await house.caps.policies.leave(guild_id)
    damaged = SERVER.update().where(SERVER.c.guild_id == GUILD).values(policy={"retention_days": "long"})
    await house.database.transaction(lambda c: c.execute(damaged))
    with capture_logs() as lines:
        await house.keeping.tidy()
    assert [line["guild"] for line in lines if line["event"] == "housekeeping.server_failed"] == [GUILD]
    assert [await house.entries(one) for one in (GUILD, GUILD + 1)] == [3, 0]


async def test_the_loop_looks_every_minute_and_outlives_a_failure(house: House) -> None:
    looks: list[float] = []
    seen = asyncio.Event()

    async def tidy() -> None:
        looks.append(house.clock.elapsed_s)
        seen.set()
        if len(looks) == 1:
            raise OSError("the database is away")

    house.keeping.tidy = tidy  # type: ignore[method-assign]  # counted instead of done
    with capture_logs() as lines:
        house.keeping.start()
        for _ in range(3):
            await asyncio.wait_for(seen.wait(), 30)
            seen.clear()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            house.clock.move_on()
        await house.keeping.stop(grace_s=1)
    assert looks[:3] == [0.0, INTERVAL_S, 2 * INTERVAL_S]
    assert [line["event"] for line in lines] == ["housekeeping.failed"]


async def test_of_two_processes_one_tidies_each_time(house: House) -> None:
    looks: list[float] = []

    async def tidy() -> None:
        looks.append(house.clock.elapsed_s)

    both = [house.keeping, Housekeeping(house.database, house.clock, Timers(house.database, house.clock))]
    for one in both:
        one.tidy = tidy  # type: ignore[method-assign]  # counted instead of done
        one.start()
    for _ in range(3):
        await wait_until(lambda: house.clock.sleeping() == len(both))
        house.clock.move_on()
    await wait_until(lambda: house.clock.sleeping() == len(both))
    for one in both:
        await one.stop(grace_s=1)
    assert looks == [0.0, INTERVAL_S, 2 * INTERVAL_S, 3 * INTERVAL_S]
