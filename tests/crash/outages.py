"""What may have changed by the time the next process begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from db.enums import JobState

if TYPE_CHECKING:
    from tests.crash.chain import Chain, Corner


class Strike(Protocol):
    async def __call__(self, chain: Chain, corner: Corner, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Shape: `ends` are how a job may end then; with `hides_answers` nobody can see any more what a private answer
    has become. It is only met `until` a boundary that begins so, where it changes nothing for a job beyond.
    """

    name: str
    strike: Strike
    ends: frozenset[JobState]
    hides_answers: bool = False
    until: str | None = None


# Longer than the fifteen minutes of a token, and than Discord remembers a nonce.
LONG_S = 1_200.0
DELIVERED = frozenset({JobState.DELIVERED})
CALLED_OFF = frozenset({JobState.FAILED, JobState.UNDELIVERABLE})


async def let_the_token_die(chain: Chain, _corner: Corner) -> None:
    await chain.move_clock(LONG_S)


async def delete_the_channel(chain: Chain, corner: Corner) -> None:
    await chain.servers.delete_channel(corner.channel_id)


async def delete_the_messages(_chain: Chain, corner: Corner) -> None:
    for message_id in (corner.request, corner.source["id"]):
        await corner.member.delete(corner.channel_id, message_id)


async def forbid_to_send(chain: Chain, corner: Corner) -> None:
    await chain.servers.set_bot_permissions(corner.channel_id, deny=["SEND_MESSAGES"])


async def forget_the_job(chain: Chain, _corner: Corner) -> None:
    await chain.servers.kvid_fault("status", {"forget": True})


async def lose_the_picture(chain: Chain, _corner: Corner) -> None:
    await chain.servers.kvid_fault("download", {"status": 404, "code": "NOT_FOUND"}, times=100)


async def let_the_member_leave(chain: Chain, corner: Corner) -> None:
    await chain.servers.remove_member(corner.member.user_id)


TOKEN_DEAD = Outage(name="the token is dead", strike=let_the_token_die, ends=DELIVERED, hides_answers=True)
CHANNEL_GONE = Outage(name="the channel is gone", strike=delete_the_channel, ends=DELIVERED | CALLED_OFF)
MESSAGES_GONE = Outage(
    name="the messages are gone", strike=delete_the_messages, ends=DELIVERED | {JobState.FAILED}
)
FORBIDDEN = Outage(name="sending is forbidden", strike=forbid_to_send, ends=DELIVERED | CALLED_OFF)
FORGOTTEN = Outage(
    name="kvid forgot",
    strike=forget_the_job,
    ends=DELIVERED | {JobState.FAILED},
    until="committed Writes.advance succeeded",
)
PICTURE_GONE = Outage(
    name="the picture is gone",
    strike=lose_the_picture,
    ends=DELIVERED | CALLED_OFF,
    until="committed Writes.settle",
)
MEMBER_LEFT = Outage(name="the member left", strike=let_the_member_leave, ends=DELIVERED)
