"""What hypothesis draws from: few members, servers, channels and roles, so that they meet; tight caps and prices.

Owns the names of who and what there is, and how often a value is drawn. Knows neither the machine nor the model.
"""

from __future__ import annotations

from hypothesis import strategies as st

from bot.caps.values import Cap, CapOf, Policy
from db.enums import BalancePeriod

MEMBERS = (1, 2)
NEW_YORK, SEOUL = 7, 8
ZONES = {NEW_YORK: "America/New_York", SEOUL: "Asia/Seoul"}
# Moderators may choose another one at any time; these two are never on the same day for long.
OTHER_ZONES = ("Pacific/Kiritimati", "Pacific/Pago_Pago")
GUILDS = tuple(ZONES)
CHANNELS = (31, 32)
ROLES = (41, 42)

members, guilds, roles = st.sampled_from(MEMBERS), st.sampled_from(GUILDS), st.sampled_from(ROLES)
amounts, indexes = st.integers(1, 12), st.integers(0, 40)
periods = st.sampled_from(["day", "week", "month"])
caps = st.builds(
    Cap,
    credits=st.sampled_from([6, 15, 0, 30, None]),
    period=periods.map(BalancePeriod),
)
policies = st.builds(
    Policy,
    member_cap=caps,
    role_caps=st.lists(st.builds(CapOf, id=roles, cap=caps), max_size=2).map(tuple),
    channel_caps=st.lists(st.builds(CapOf, id=st.just(32), cap=caps), max_size=1).map(tuple),
    server_budget_credits=st.sampled_from([None, 80, 40]),
    running_max=st.integers(1, 3),
    waiting_max=st.sampled_from([20, 10, 2]),
    cooldown_s=st.sampled_from([0] * 7 + [60]),
)
# None: the server's own.
zones = st.none() | st.sampled_from(OTHER_ZONES)

# user, server or direct message, channel, roles, price
Ask = tuple[int, int | None, int, set[int], int]
# Members ask for something whatever else happens.
asks = st.lists(
    st.tuples(
        members,
        st.sampled_from((*GUILDS, *GUILDS, None)),
        st.sampled_from(CHANNELS),
        st.sets(roles),
        amounts,
    ),
    max_size=4,
)
