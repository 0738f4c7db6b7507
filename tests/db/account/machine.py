"""The whole machine: settings change and time passes around everything else that happens to the account.

Owns the moments at which days, weeks and months turn. What the tests run; knows neither database nor how often.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from bot.caps.policies import dump_policy
from db.queries import servers as server_queries
from tests.db.account.draws import (
    GUILDS,
    NEW_YORK,
    SEOUL,
    ZONES,
    asks,
    caps,
    guilds,
    members,
    policies,
    zones,
)
from tests.db.account.grants import GrantsOfAccount

if TYPE_CHECKING:
    from bot.caps.values import Cap, Policy
    from tests.db.account.draws import Ask

# Just before: a month's end, New York's 23 and 25 hours, new days in Seoul, a leap day and its end.
MOMENTS = [
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in (
        "2026-01-31T14:59:50",
        "2026-02-01T04:59:50",
        "2026-03-08T04:59:50",
        "2026-03-09T03:59:50",
        "2026-11-01T05:59:50",
        "2026-11-02T04:59:50",
        "2028-02-28T14:59:50",
        "2028-02-29T23:59:50",
        "2028-03-01T04:59:50",
    )
]


class AccountMachine(GrantsOfAccount):
    def __init__(self) -> None:
        super().__init__()
        self.versions = dict.fromkeys(GUILDS, 0)

    @initialize(first=policies, second=policies)
    def begin(self, first: Policy, second: Policy) -> None:
        self.change_policy(NEW_YORK, first)
        self.change_policy(SEOUL, second)

    @rule(
        asks=asks,
        passed=st.sampled_from([1, 60, 3600, 5 * 3600, 86_400, 7 * 86_400, 20 * 86_400]) | st.none(),
        index=st.integers(0, 2),
        used=st.lists(st.integers(0, 16), max_size=4),
    )
    def time_passes(self, asks: list[Ask], passed: int | None, index: int, used: list[int]) -> None:
        """Some seconds, or up to the eve of a turn of the calendar; then some jobs end, and so do old grants."""
        coming = [moment for moment in MOMENTS if moment > self.now]
        if passed is not None or not coming:
            self.now += timedelta(seconds=passed or 60)
        else:
            self.now = coming[min(index, len(coming) - 1)]
        waiting = [job_id for job_id, held in self.model.holds.items() if held.is_open]
        # Those that grants bear a part of are rare, and go first.
        waiting.sort(key=lambda job_id: not self.model.holds[job_id].parts)
        for job_id, amount in zip(waiting, used, strict=False):
            self.settle(job_id, amount, 2)
        self.expire()
        self.request(asks)

    @rule(
        asks=asks,
        guild_id=guilds,
        policy=policies,
        zone=zones,
        user_id=members,
        cap=st.none() | caps,
        own=st.booleans(),
    )
    def moderators_decide(
        self,
        asks: list[Ask],
        guild_id: int,
        policy: Policy,
        zone: str | None,
        user_id: int,
        cap: Cap | None,
        *,
        own: bool,
    ) -> None:
        if own:
            self.change_member_cap(guild_id, user_id, cap)
        else:
            self.change_policy(guild_id, policy, zone)
        self.request(asks)

    def change_policy(self, guild_id: int, policy: Policy, zone: str | None = None) -> None:
        policy = replace(policy, time_zone=zone or ZONES[guild_id])
        self.model.zones[guild_id] = ZoneInfo(policy.time_zone)
        with self.engine.begin() as c:
            version = self.versions[guild_id]
            assert server_queries.write_policy(c, guild_id, dump_policy(policy), version=version)
        self.versions[guild_id] += 1
        self.model.policies[guild_id] = policy

    def change_member_cap(self, guild_id: int, user_id: int, cap: Cap | None) -> None:
        with self.engine.begin() as c:
            server_queries.change_membership(
                c,
                guild_id,
                user_id,
                cap_credits=cap.credits if cap else None,
                cap_period=cap.period if cap else None,
            )
        self.model.member_caps.pop((guild_id, user_id), None)
        if cap is not None:
            self.model.member_caps[guild_id, user_id] = cap
